-- Gives permits to jobs that hold their leases, and puts off those for which there are not enough, uncharged: a job has all
-- that it needs or none. Two kinds of jobs ask: those that worker $1 has claimed in this transaction from lanes with a limit
-- (null: none), each for the permit of its pipeline; and (job $2, epoch $3), for the keys $4. A permit is worth no more than
-- the lease behind it, or, before that, than the time for which it is reserved: two seconds, so that a time further away is from
-- before the clock was set back. A key without a limit is not asked for.
-- Of the keys $6 (null: none) the jobs of one run have one permit together: what another job of its run has does not count for the job $2,
-- which takes a slot next to it.
-- The put-off waits for the first of its keys that is short, and for ten minutes at most, should everyone forget it; for one of the keys $6
-- for 30 seconds, because a permit that comes free wakes one job, and the others of its run may take theirs next to it.
-- Returns every job and key that was asked for; refused says for which key the job waits now, and put_off whether it does: a job
-- that is to be cancelled keeps its lease instead.
-- Runs after lease_lock, or the claim of these leases, and then permit_lock on these keys. Locks: permit rows, then its lease. Index: lease_worker, primary keys.
with wanting as materialized (
  select l.job_id, l.epoch, m.key, m.slots
  from sluice.lease l
  join sluice.lane n on n.lane_id = l.lane_id and n.limited
  join sluice.permit_limit m on m.key = 'pipeline/' || n.pipeline
  where l.worker_id = $1::bigint and l.claimed_at = coalesce($5::timestamptz, now())
  union all
  select l.job_id, l.epoch, m.key, m.slots
  from sluice.lease l join sluice.permit_limit m on m.key = any ($4::text[])
  where l.job_id = $2::bigint and l.epoch = $3::bigint
), held as materialized (
  select p.key, p.slot, p.job_id,
    coalesce(p.key = any ($6::text[]) and (select j.run_id from sluice.job j where j.job_id = p.job_id)
      = (select j.run_id from sluice.job j where j.job_id = $2::bigint), false) as is_own_run
  from (select distinct key from wanting) k
  join sluice.permit p on p.key = k.key
  left join lateral (
    select l.job_id from sluice.lease l where l.job_id = p.job_id and l.epoch = p.epoch offset 0) l on true
  where p.reserved_until between coalesce($5::timestamptz, clock_timestamp())
      and coalesce($5::timestamptz, clock_timestamp()) + interval '10 seconds' or l.job_id is not null
), vacant as materialized (
  select k.key, s.slot, row_number() over (partition by k.key order by s.slot) as place
  from (select distinct key, slots from wanting) k
  cross join lateral (
    select s.slot from generate_series(1, k.slots + (select count(*)::integer from held h where h.key = k.key and h.is_own_run)) as s (slot)
    where not exists (select from held h where h.key = k.key and h.slot = s.slot)
    order by s.slot
    -- Those beyond a limit that was lowered count as well.
    limit greatest(0, k.slots - (select count(*) from held h where h.key = k.key and not h.is_own_run))) s
), asking as materialized (
  select w.job_id, w.epoch, w.key, h.slot as own,
    row_number() over (partition by w.key, h.slot is null order by w.job_id) as place
  from wanting w left join held h on h.key = w.key and h.job_id = w.job_id
), judged as materialized (
  select a.job_id, a.epoch, a.key, a.own, coalesce(a.own, v.slot) as slot,
    min(case when coalesce(a.own, v.slot) is null then a.key end) over (partition by a.job_id) as refused
  from asking a left join vacant v on v.key = a.key and v.place = a.place and a.own is null
), given as (
  insert into sluice.permit as p (key, slot, job_id, epoch)
  select key, slot, job_id, epoch from judged where refused is null
  on conflict (key, slot) do update set job_id = excluded.job_id, epoch = excluded.epoch, reserved_until = null
), dropped as (
  delete from sluice.permit p using judged j where j.refused is not null and p.key = j.key and p.slot = j.own
), put_off as (
  delete from sluice.lease l using (select distinct job_id, epoch, refused from judged where refused is not null) j
  where l.job_id = any (array(select job_id from judged where refused is not null))
    and l.job_id = j.job_id and l.epoch = j.epoch and not l.cancelled
  returning l.job_id, l.epoch, l.lane_id, l.attempt, j.refused
), waiting as (
  insert into sluice.later (job_id, run_at, lane_id, attempt, epoch, waits_for, waits_since, put_off_at)
  select job_id, coalesce($5::timestamptz, now())
      + case when refused = any ($6::text[]) then interval '30 seconds' else interval '10 minutes' end, lane_id, attempt - 1, epoch, refused,
    coalesce($5::timestamptz, now()), coalesce($5::timestamptz, now())
  from put_off
)
select job_id, key, refused, job_id in (select job_id from put_off) as put_off from judged
