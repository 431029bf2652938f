-- Which leases of worker $1, of release $2, are to be given up: because their jobs were cancelled, or at the next checkpoint because
-- another engine has their lane now, or memory is short. Index: lease_worker, primary key of lane.
select e.job_id, e.epoch, e.cancelled
from sluice.lease e join sluice.lane l on l.lane_id = e.lane_id
where e.worker_id = $1::bigint and (e.cancelled or l.engine_id <> $2::bigint
  or exists (
    select from sluice.scaling_lead s
    cross join lateral unnest(s.yield_jobs, s.yield_epochs) as y (job_id, epoch)
    where s.until > now() and y.job_id = e.job_id and y.epoch = e.epoch))
