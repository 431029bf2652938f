-- Gives the exclusive permit $1 to (job $2, epoch $3), which must hold its lease, unless another lease that still lives
-- holds it. Survives crashes, because a permit is worth no more than the lease behind it. Returns a row when it was given.
-- Locks: the lease row for key share, then the permit's row.
with holder as materialized (
  select job_id, epoch from sluice.lease where job_id = $2::bigint and epoch = $3::bigint for key share
)
insert into sluice.permit as p (key, job_id, epoch) select $1, job_id, epoch from holder
on conflict (key) do update set job_id = excluded.job_id, epoch = excluded.epoch
where p.job_id = excluded.job_id or not exists (
  select from sluice.lease l where l.job_id = p.job_id and l.epoch = p.epoch)
returning p.key
