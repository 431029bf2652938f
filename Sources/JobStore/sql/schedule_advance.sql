-- Every time of pipeline $1 up to $2 is decided; the next is $3. Forgets what was decided more than 90 days ago.
-- Locks: the schedule's row, then old ticks. Index: primary keys.
with forgotten as (
  delete from sluice.schedule_tick
  where pipeline = $1 and scheduled_at < coalesce($2::timestamptz, now()) - interval '90 days' and outcome <> 'waiting'
)
update sluice.schedule set considered_at = greatest(considered_at, coalesce($2::timestamptz, now())), next_at = $3::timestamptz
where pipeline = $1
