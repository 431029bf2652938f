-- What worker $1 knows of its host before it claims by memory: the turn, the live workers and their slots, the most that a job may need under
-- memory pressure (null: all may be claimed), and the job that room is kept for, with the seconds since, and since a worker last said so. $2 is the
-- job that this worker keeps room for (null: none). It is noted for the others of the host, at most every 2 seconds; a worker whose slots are
-- all busy says nothing, so the time counts for 10 minutes without, as long as the job is ready.
-- Writes only where there is something new.
-- Locks: the host's row where it writes. Index: primary keys of worker, memory_host, job, lane and ready. Beats are few.
with own as materialized (
  select w.host from sluice.worker w where w.worker_id = $1::bigint
), known as materialized (
  select h.turn, h.waiting_job, h.waiting_since, h.waiting_at from sluice.memory_host h where h.host = (select host from own)
), made as (
  insert into sluice.memory_host (host) select host from own where not exists (select from known)
  on conflict (host) do nothing
), noted as (
  update sluice.memory_host h
  set waiting_job = $2::bigint, waiting_at = coalesce($3::timestamptz, now()),
    waiting_since = case when k.waiting_job = $2::bigint and k.waiting_at > coalesce($3::timestamptz, now()) - interval '600 s'
      then k.waiting_since else coalesce($3::timestamptz, now()) end
  from known k
  where $2::bigint is not null and h.host = (select host from own)
    and (k.waiting_job is distinct from $2::bigint
      or k.waiting_at not between coalesce($3::timestamptz, now()) - interval '2 s' and coalesce($3::timestamptz, now()))
), crew as materialized (
  select count(*) as workers, coalesce(sum(w.slots), 0) as slots
  from sluice.beat b
  cross join lateral (select w.host, w.slots from sluice.worker w where w.worker_id = b.worker_id offset 0) w
  where b.expires_at > coalesce($3::timestamptz, now()) and w.host = (select host from own)
), waiting as materialized (
  select k.waiting_job, greatest(0, extract(epoch from coalesce($3::timestamptz, now()) - k.waiting_since))::double precision as seconds,
    greatest(0, extract(epoch from coalesce($3::timestamptz, now()) - k.waiting_at))::double precision as age
  from known k
  cross join lateral (select j.lane_id from sluice.job j where j.job_id = k.waiting_job offset 0) j
  cross join lateral (select l.lane_id from sluice.lane l where l.lane_id = j.lane_id and not l.paused offset 0) l
  cross join lateral (select r.job_id from sluice.ready r where r.lane_id = l.lane_id and r.job_id = k.waiting_job offset 0) r
  where k.waiting_at
    between coalesce($3::timestamptz, now()) - interval '600 s' and coalesce($3::timestamptz, now()) + interval '600 s'
)
select coalesce((select turn from known), 0) as turn, c.workers, c.slots,
  (select s.heaviest_bytes from sluice.scaling_lead s where s.until > coalesce($3::timestamptz, now())) as heaviest,
  w.waiting_job, w.seconds as waiting_seconds, w.age as waiting_age
from crew c left join waiting w on true
