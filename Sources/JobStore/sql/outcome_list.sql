-- Every attempt of jobs $1 that has ended, oldest first.
select o.job_id, o.attempt, o.epoch, o.status, o.worker_id, o.started_at::text, o.finished_at::text,
  extract(epoch from o.finished_at - o.started_at)::double precision as seconds, o.detail
from sluice.outcome o where o.job_id = any ($1::bigint[]) order by o.job_id, o.epoch
