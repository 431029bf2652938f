-- Lets what still runs of run $1 and its loads go on that was asked to stop.
-- Runs after run_lock, and before run rows are locked. Locks: lease rows, in order of their number. Index: run_parent.
with asked as materialized (
  select l.job_id from sluice.lease l
  where l.cancelled and l.run_id in (select run_id from sluice.run where run_id = $1::bigint or parent_id = $1::bigint)
  order by l.job_id
  for update
)
update sluice.lease l set cancelled = false from asked a where l.job_id = a.job_id returning l.job_id
