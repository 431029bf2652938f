-- What jobs wrote: of job $1 or of run $2, after line $3, at most $4.
select g.log_id, g.job_id, g.at::text, g.level, g.message
from sluice.job_log g join sluice.job j on j.job_id = g.job_id
where ($1::bigint is null or g.job_id = $1) and ($2::bigint is null or j.run_id = $2) and g.log_id > $3::bigint
order by g.log_id limit $4::integer
