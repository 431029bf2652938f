-- How many seconds after $3 a later attempt of the job $1 than $2 began.
select extract(epoch from s.at - $3::timestamptz)::float8 as seconds from bench.start s
where s.job_id = $1::bigint and s.epoch > $2::bigint
order by s.at
limit 1
