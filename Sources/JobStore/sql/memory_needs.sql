-- What jobs are expected to need of memory and time (null: nothing is known): those that run on the host of worker $1 (held), for how long; the jobs
-- $3 of the lanes $2 (ready); and the one that room is kept for on this host (waiting). With how often each ran out of memory.
-- An estimate of the job's pipeline goes before that of its kind.
-- Locks: none. Index: lease_worker, primary keys of worker, job, lane, suspect, scaling_estimate and memory_host. Beats are few.
with own as materialized (
  select w.host from sluice.worker w where w.worker_id = $1::bigint
), crew as materialized (
  select b.worker_id from sluice.beat b
  cross join lateral (select w.host from sluice.worker w where w.worker_id = b.worker_id offset 0) w
  where w.host = (select host from own)
), asked as materialized (
  select 'held' as what, e.job_id, greatest(0, extract(epoch from coalesce($4::timestamptz, now()) - e.claimed_at))::double precision as elapsed
  from crew c
  cross join lateral (select e.job_id, e.claimed_at from sluice.lease e where e.worker_id = c.worker_id offset 0) e
  union all
  select 'ready', a.job_id, 0 from unnest($2::bigint[], $3::bigint[]) as a (lane_id, job_id)
  union all
  select 'waiting', h.waiting_job, 0 from sluice.memory_host h where h.host = (select host from own) and h.waiting_job is not null
)
select a.what, a.job_id, a.elapsed, j.lane_id, l.class, coalesce(s.memory_kills, 0) as kills,
  coalesce(o.seconds_mean, k.seconds_mean) as seconds_mean, coalesce(o.seconds_deviation, k.seconds_deviation) as seconds_deviation,
  coalesce(o.bytes_mean, k.bytes_mean) as bytes_mean, coalesce(o.bytes_deviation, k.bytes_deviation) as bytes_deviation
from asked a
cross join lateral (select j.lane_id, j.kind from sluice.job j where j.job_id = a.job_id offset 0) j
cross join lateral (select l.pipeline, l.class from sluice.lane l where l.lane_id = j.lane_id offset 0) l
left join lateral (select s.memory_kills from sluice.suspect s where s.job_id = a.job_id offset 0) s on true
left join lateral (
  select e.seconds_mean, e.seconds_deviation, e.bytes_mean, e.bytes_deviation from sluice.scaling_estimate e
  where e.kind = j.kind and e.pipeline = l.pipeline offset 0) o on true
left join lateral (
  select e.seconds_mean, e.seconds_deviation, e.bytes_mean, e.bytes_deviation from sluice.scaling_estimate e
  where e.kind = j.kind and e.pipeline = '' offset 0) k on true
