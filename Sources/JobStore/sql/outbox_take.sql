-- Takes up to $1 messages that are due, and puts each off by $2 seconds, so that a notifier that dies in delivery loses none.
-- No retry is put off for longer than an hour: a time further away is from before the clock was set back.
-- Who is told says the release of the message's run; where there is no run, that of the pipeline's schedule.
-- Locks: the outbox rows it takes; others' are skipped. Index: outbox_open.
with due as (
  select outbox_id from sluice.outbox
  where delivered_at is null and given_up_at is null and (next_at <= now() or next_at > now() + interval '2 hours')
  order by next_at limit $1::integer for update skip locked
)
update sluice.outbox o
set attempt = o.attempt + 1, next_at = now() + make_interval(secs => $2::double precision)
from due where o.outbox_id = due.outbox_id
returning o.outbox_id, o.kind, o.pipeline, o.run_id, o.body, o.channel, o.attempt, o.created_at::text,
  coalesce(
    (select release_id from sluice.run r where r.run_id = o.run_id),
    (select release_id from sluice.schedule s where s.pipeline = o.pipeline and o.run_id is null)) as release_id
