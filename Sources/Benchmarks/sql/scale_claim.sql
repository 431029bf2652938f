-- The first claim of a job of the run $1: seconds after the run was asked for, and the worker. Nothing where none has yet.
select extract(epoch from c.at - r.created_at)::double precision as seconds, c.worker_id
from sluice.run r
cross join lateral (
  select a.worker_id, a.at
  from (
    select l.worker_id, l.claimed_at as at from sluice.lease l where l.run_id = r.run_id
    union all
    select o.worker_id, o.started_at from sluice.outcome o join sluice.job j on j.job_id = o.job_id where j.run_id = r.run_id) a
  order by a.at limit 1) c
where r.run_id = $1::bigint
