-- Notes that run $2 does the work of run $1 (0: that none can), with the time and the deadline of that run as its own. Returns nothing where another
-- does already, or where it is done.
-- Locks: the run's row and those of its loads, then those of its successor and its loads.
with moved as (
  update sluice.run set moved_to = $2::bigint
  where run_id = $1::bigint and moved_to is null and (state in ('queued', 'running', 'failed') or exists (
    select from sluice.run l where l.parent_id = $1::bigint and l.state = 'failed'))
  returning run_id, run_at, deadline_at
), loads as (
  update sluice.run l set moved_to = $2::bigint from moved m
  where l.parent_id = m.run_id and l.state <> 'succeeded' and l.moved_to is null
), timed as (
  update sluice.run r set run_at = m.run_at, deadline_at = coalesce(m.deadline_at, r.deadline_at) from moved m where r.run_id = $2::bigint or r.parent_id = $2::bigint
)
select run_id from moved
