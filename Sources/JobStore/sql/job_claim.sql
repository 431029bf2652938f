-- Claims, for worker $1 of release $2 (0: of no release), ready jobs of the lanes $3, of each up to the limit and from
-- the job $4 of the lane on (the watermark: what lies below was claimed, and is not walked over again).
-- Jobs that must run alone are left out; $6 names one of them (null: none), which is then the only job that is claimed. Its lease
-- is marked as alone, like every lease of a worker with one slot.
-- $7 is the turn on the memory of its host that the worker took before (memory_turn, null: it does not claim by memory): where another worker took
-- it, the claim gives nothing.
-- Gives nothing to a worker without a live beat or in drain. The limit is a literal, because a plan for an unknown one is bad:
-- Statement.jobClaim puts 1, 10, 50 or 200 in its place.
-- Whether there is any suspect is asked once; only then each ready row asks for its own, by its key (offset 0: never by a hash of all).
-- Locks: the ready rows it takes (others' are skipped), then its lease rows; run rows in order of their number.
-- Index: primary keys of ready, suspect, job, mark, run, lane; whatever the planner believes of their sizes (see queueSession).
with alive as materialized (
  select $6::bigint is not null or w.slots = 1 as is_alone
  from sluice.beat b join sluice.worker w on w.worker_id = b.worker_id
  where b.worker_id = $1::bigint and not b.draining and b.expires_at > coalesce($5::timestamptz, now())
    and ($7::bigint is null or exists (
      select from sluice.memory_host h where h.host = w.host and h.turn = $7::bigint and h.worker_id = $1::bigint offset 0))
), picked as materialized (
  select p.place, p.lane_id, p.job_id, p.attempt, p.epoch
  from unnest($3::bigint[], $4::bigint[]) as asked (lane_id, lowest)
  cross join lateral (
    select l.lane_id from sluice.lane l
    where l.lane_id = asked.lane_id and not l.paused and l.engine_id = $2::bigint
    offset 0) open
  cross join lateral (
    select r.ctid as place, r.lane_id, r.job_id, r.attempt, r.epoch from sluice.ready r
    where r.lane_id = open.lane_id and r.job_id >= asked.lowest
      and r.job_id <= coalesce($6::bigint, 9223372036854775807) and exists (select from alive)
      and ($6::bigint is not null or (select not exists (select from sluice.suspect))
        or not exists (select from sluice.suspect s where s.job_id = r.job_id and s.runs_alone offset 0))
    order by r.job_id
    limit 1 --! literal
    for update skip locked) p
), taken as (
  delete from sluice.ready where ctid = any (array(select place from picked))
), claimed as materialized (
  select p.lane_id, p.job_id, p.attempt + 1 as attempt, p.epoch + 1 as epoch, nextval('sluice.ticket') as ticket,
    j.max_attempts, j.kind, j.label, j.payload, j.run_id, j.time_limit, j.live_key
  from picked p
  cross join lateral (
    select j.max_attempts, j.kind, j.label, j.payload, j.run_id, j.time_limit, j.live_key from sluice.job j
    where j.job_id = p.job_id
    offset 0) j
), held as (
  insert into sluice.lease (job_id, epoch, ticket, worker_id, lane_id, run_id, attempt, claimed_at, deadline_at, live_key, alone)
  select job_id, epoch, ticket, $1::bigint, lane_id, run_id, attempt, coalesce($5::timestamptz, now()),
    coalesce($5::timestamptz, now()) + time_limit, live_key, (select is_alone from alive)
  from claimed
), beginning as materialized (
  select r.run_id from sluice.run r
  where r.state = 'queued' and r.run_id = any (array(select run_id from claimed where run_id is not null))
  order by r.run_id
  for update
), begun as (
  update sluice.run r set state = 'running', started_at = coalesce(r.started_at, $5::timestamptz, now())
  where r.run_id = any (array(select run_id from beginning))
)
select c.lane_id, c.job_id, c.epoch, c.ticket, c.attempt, c.max_attempts, c.kind, c.label, c.payload, c.run_id,
  extract(epoch from c.time_limit)::double precision as time_limit, r.release_id, r.run_at,
  m.format as mark_format, m.state as mark_state,
  case when $6::bigint is not null then (select s.memory_kills from sluice.suspect s where s.job_id = c.job_id) end as memory_kills
from claimed c
left join lateral (select r.release_id, r.run_at from sluice.run r where r.run_id = c.run_id offset 0) r on true
left join lateral (
  select m.format, m.state from sluice.mark m
  where c.epoch > 1 and m.job_id = c.job_id and m.step = ''  -- whoever was never claimed before left no checkpoint
  offset 0) m on true
