-- Puts the schedule of pipeline $1 in force: $2 release, $3 cron, $4 time zone, $5 overlap, $6 catch_up, $7 now.
-- What was considered stays, so that an outage is caught up; a schedule with other times begins anew.
-- Locks: the schedule's row.
insert into sluice.schedule as s (pipeline, release_id, cron, timezone, overlap, catch_up, considered_at)
values ($1, $2::bigint, $3, $4, $5, $6, coalesce($7::timestamptz, now()))
on conflict (pipeline) do update set
  release_id = excluded.release_id, cron = excluded.cron, timezone = excluded.timezone, overlap = excluded.overlap,
  catch_up = excluded.catch_up,
  considered_at = case when (s.cron, s.timezone) = (excluded.cron, excluded.timezone) then s.considered_at
    else greatest(s.considered_at, excluded.considered_at) end,
  next_at = case when (s.cron, s.timezone) = (excluded.cron, excluded.timezone) then s.next_at end
