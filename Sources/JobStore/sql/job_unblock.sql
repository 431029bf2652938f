-- Moves dependents of the ended jobs $1 that wait for nothing more to ready, and returns their lanes. Runs after
-- job_complete in its transaction, whose locks on the blocked rows it relies on; a statement of its own because it must see
-- what that one wrote.
with free as (
  delete from sluice.blocked b
  where b.pending = 0 and b.job_id in (select dependent_id from sluice.edge where upstream_id = any ($1::bigint[]))
  returning b.job_id, b.lane_id
), startable as (
  insert into sluice.ready (lane_id, job_id, attempt, epoch, since)
  select lane_id, job_id, 0, 0, coalesce($2::timestamptz, clock_timestamp()) from free order by job_id
)
select distinct lane_id from free
