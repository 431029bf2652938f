-- Whether the job may end.
select from bench.finish where job_id = $1::bigint
