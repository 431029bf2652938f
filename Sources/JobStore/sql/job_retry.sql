-- Takes up the dead jobs of run $1 and its loads (or the job $2) again, with fresh attempts and the epoch they died at.
-- A run is open again once none of its jobs is dead.
-- Locks: run rows in order of their number, then dead rows.
with concerned as materialized (
  select r.run_id from sluice.run r
  where r.run_id = $1::bigint or r.parent_id = $1::bigint
    or r.run_id = (select j.run_id from sluice.job j where j.job_id = $2::bigint)
  order by r.run_id
  for update
), risen as (
  delete from sluice.dead d using sluice.job j
  where j.job_id = d.job_id
    and (j.job_id = $2::bigint or ($2::bigint is null and j.run_id in (select run_id from concerned)))
  returning d.job_id, d.lane_id, d.epoch, j.run_id
), again as (
  insert into sluice.ready (lane_id, job_id, attempt, epoch, since) select lane_id, job_id, 0, epoch, now() from risen
), reopened as (
  update sluice.run r set state = 'running', finished_at = null, error = null
  where r.run_id in (select run_id from risen) and not exists (
    select from sluice.dead d join sluice.job j on j.job_id = d.job_id
    where j.run_id = r.run_id and d.job_id not in (select job_id from risen))
)
select job_id from risen
