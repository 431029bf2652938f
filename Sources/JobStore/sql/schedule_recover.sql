-- Brings back the schedule of pipeline $1, which was considered at a time that is more than a minute in the future: the clock was
-- ahead, and was set back. Its next time is looked for again. Times that were decided while the clock was ahead and started no run
-- are open again; those that started one stay as they are. Returns the time up to which it was considered.
-- Locks: the schedule's row, then the ticks it deletes. Index: primary keys.
with ahead as materialized (
  select s.pipeline, s.considered_at from sluice.schedule s
  where s.pipeline = $1 and s.considered_at > coalesce($2::timestamptz, now()) + interval '1 minute'
  for update
), opened as (
  delete from sluice.schedule_tick t using ahead a
  where t.pipeline = a.pipeline and t.scheduled_at > coalesce($2::timestamptz, now()) and t.outcome <> 'started'
), recovered as (
  update sluice.schedule s set considered_at = coalesce($2::timestamptz, now()), next_at = null from ahead a
  where s.pipeline = a.pipeline
)
select considered_at::text from ahead
