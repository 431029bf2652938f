-- Deletes messages that were delivered or given up more than $1 seconds ago, at most $2. Returns how many.
-- Locks: the rows it deletes.
with old as materialized (
  select outbox_id from sluice.outbox
  where coalesce(delivered_at, given_up_at) < coalesce($3::timestamptz, now()) - make_interval(secs => $1::double precision)
  order by outbox_id limit $2::integer for update skip locked
), gone as (
  delete from sluice.outbox where outbox_id = any (array(select outbox_id from old)) returning 1
)
select count(*) as messages from gone
