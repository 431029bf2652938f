-- The schedule of pipeline $1 at $2, for the transaction that decides it, with what stands in a run's way.
-- Locks: the schedule's row. Index: run_open, schedule_tick_waiting.
select s.release_id, s.cron, s.timezone, s.overlap, s.catch_up, s.considered_at::text,
  to_char(s.considered_at at time zone s.timezone, 'YYYY-MM-DD"T"HH24:MI') as considered_local,
  to_char(coalesce($2::timestamptz, now()) at time zone s.timezone, 'YYYY-MM-DD"T"HH24:MI') as local_now,
  coalesce(s.next_at <= coalesce($2::timestamptz, now()), true) as is_due,
  s.considered_at > coalesce($2::timestamptz, now()) + interval '1 minute' as is_ahead,
  exists (select from sluice.pause p where p.pipeline = s.pipeline) as is_paused,
  (select min(r.run_id) from sluice.run r
   where r.pipeline = s.pipeline and r.state in ('queued', 'running') and r.kind = 'batch'
     and not exists (select from sluice.backfill b where b.run_id = r.run_id)) as busy,
  (select string_agg(t.scheduled_at::text, ',' order by t.scheduled_at) from sluice.schedule_tick t
   where t.pipeline = s.pipeline and t.outcome = 'waiting') as waiting
from sluice.schedule s where s.pipeline = $1
for update of s
