-- What became of the scheduled times of pipeline $1, latest first, at most $2.
select scheduled_at::text, outcome, run_id, reason, decided_at::text from sluice.schedule_tick
where pipeline = $1 order by schedule_tick.scheduled_at desc limit $2::integer
