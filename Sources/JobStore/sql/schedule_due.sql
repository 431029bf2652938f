-- The pipelines that have something to decide at $1: a time that has come, a next one to be found, or one that waits; and those that
-- were considered while the clock was ahead.
-- Index: schedule_next, schedule_tick_waiting.
select pipeline from sluice.schedule where next_at <= coalesce($1::timestamptz, now()) or next_at is null
  or considered_at > coalesce($1::timestamptz, now()) + interval '1 minute'
union
select s.pipeline from sluice.schedule_tick t join sluice.schedule s on s.pipeline = t.pipeline where t.outcome = 'waiting'
order by pipeline
