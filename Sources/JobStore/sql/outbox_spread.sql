-- Replaces message $1 by one for each of its channels $2; none: it is settled at once.
with taken as (
  update sluice.outbox set delivered_at = now() where outbox_id = $1::bigint and delivered_at is null and channel is null
  returning kind, pipeline, run_id, body, created_at
)
insert into sluice.outbox (kind, pipeline, run_id, body, created_at, channel, next_at)
select kind, pipeline, run_id, body, created_at, c, now() from taken cross join unnest($2::integer[]) as c
