-- How long each job stood still whose attempt yielded on one release and went on with another: from the end of the one to the
-- claim of the other. A job that has been claimed and has not ended is in lease.
with attempts as (
  select job_id, epoch, status, worker_id, started_at, finished_at from sluice.outcome
  union all
  select job_id, epoch, 'running', worker_id, claimed_at, null from sluice.lease
), pairs as (
  select status, worker_id, finished_at, lead(worker_id) over w as next_worker, lead(started_at) over w as next_start
  from attempts window w as (partition by job_id order by epoch)
)
select extract(epoch from p.next_start - p.finished_at)::double precision as seconds
from pairs p
join sluice.worker a on a.worker_id = p.worker_id
join sluice.worker b on b.worker_id = p.next_worker
where p.status = 'yielded' and a.release_id is distinct from b.release_id
