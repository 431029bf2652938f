-- Moves jobs that wait for the permits $1 to ready, oldest first and only as many as slots are free, and keeps the slots for
-- them for two seconds: long enough to be claimed where anybody is free, short enough where nobody is.
-- Returns the lanes, and the lowest job of each.
-- Runs after permit_lock on these keys. Locks: the later rows it takes (others' are skipped), permit rows. Index: later_waiting.
with short as materialized (
  select m.key, m.slots from sluice.permit_limit m
  where m.key = any ($1::text[]) and exists (select from sluice.later t where t.waits_for = m.key offset 0)
), held as materialized (
  select p.key, p.slot
  from short s
  join sluice.permit p on p.key = s.key
  left join lateral (
    select l.job_id from sluice.lease l where l.job_id = p.job_id and l.epoch = p.epoch offset 0) l on true
  where p.reserved_until between coalesce($2::timestamptz, clock_timestamp())
      and coalesce($2::timestamptz, clock_timestamp()) + interval '10 seconds' or l.job_id is not null
), room as materialized (
  select s.key, s.slots, greatest(0, s.slots - (select count(*) from held h where h.key = s.key)) as vacancies from short s
), vacant as materialized (
  select r.key, s.slot, row_number() over (partition by r.key order by s.slot) as place
  from room r
  cross join lateral (
    select s.slot from generate_series(1, r.slots) as s (slot)
    where not exists (select from held h where h.key = r.key and h.slot = s.slot)
    order by s.slot
    limit r.vacancies) s
), next as materialized (
  select r.key, t.job_id, t.lane_id, t.attempt, t.epoch, row_number() over (partition by r.key order by t.job_id) as place
  from room r
  cross join lateral (
    select t.job_id, t.lane_id, t.attempt, t.epoch
    from sluice.later t join sluice.lane l on l.lane_id = t.lane_id and not l.paused
    where t.waits_for = r.key
    order by t.job_id
    limit r.vacancies
    for update of t skip locked) t
), freed as (
  delete from sluice.later where job_id = any (array(select job_id from next))
), startable as (
  insert into sluice.ready (lane_id, job_id, attempt, epoch, since)
  select lane_id, job_id, attempt, epoch, coalesce($2::timestamptz, now()) from next order by job_id
), reserved as (
  insert into sluice.permit as p (key, slot, job_id, epoch, reserved_until)
  select n.key, v.slot, n.job_id, n.epoch + 1, coalesce($2::timestamptz, clock_timestamp()) + interval '2 seconds'
  from next n join vacant v on v.key = n.key and v.place = n.place
  on conflict (key, slot) do update
  set job_id = excluded.job_id, epoch = excluded.epoch, reserved_until = excluded.reserved_until
)
select lane_id, min(job_id) as lowest from next group by lane_id
