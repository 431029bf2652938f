-- Dead jobs without a run that nobody took up again for $1 seconds, at most $2.
select d.job_id from sluice.dead d join sluice.job j on j.job_id = d.job_id
where j.run_id is null and d.since < coalesce($3::timestamptz, now()) - make_interval(secs => $1::double precision)
order by d.job_id limit $2::integer
