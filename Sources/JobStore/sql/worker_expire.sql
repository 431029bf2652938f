-- Deletes workers that started more than $1 seconds ago and neither live nor hold a lease, at most $2. Returns how many.
-- Locks: the rows it deletes. Index: primary key of beat, lease_worker.
with old as materialized (
  select w.worker_id from sluice.worker w
  where w.started_at < coalesce($3::timestamptz, now()) - make_interval(secs => $1::double precision)
    and not exists (select from sluice.beat b where b.worker_id = w.worker_id)
    and not exists (select from sluice.lease l where l.worker_id = w.worker_id)
  order by w.worker_id limit $2::integer for update skip locked
), gone as (
  delete from sluice.worker where worker_id = any (array(select worker_id from old)) returning 1
)
select count(*) as workers from gone
