-- Decides the time $2 of pipeline $1: $3 outcome, $4 run, $5 reason. A time that was decided stays as it is, but for one
-- that waits. Returns a row when this call decided it.
-- Locks: the tick's row.
insert into sluice.schedule_tick as t (pipeline, scheduled_at, outcome, run_id, reason, decided_at)
values ($1, $2::timestamptz, $3, $4::bigint, $5, coalesce($6::timestamptz, now()))
on conflict (pipeline, scheduled_at) do update
  set outcome = excluded.outcome, run_id = excluded.run_id, reason = excluded.reason, decided_at = excluded.decided_at
  where t.outcome = 'waiting'
returning scheduled_at
