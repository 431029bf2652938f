-- What jobs are expected to need of memory and time (null: nothing is known): those that run on the host of worker $1 (held), for how long; the jobs
-- $3 of the lanes $2 (ready); and the one that room is kept for on this host (waiting). With how often each ran out of memory.
-- An estimate of the job's pipeline goes before that of its kind, and one of its input's size before that of all sizes. The input is what the jobs
-- before it in its run have read.
-- Locks: none. Index: lease_worker, primary keys of worker, job, lane, suspect, progress, scaling_estimate and memory_host, edge_dependent. Beats are few.
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
  e.seconds_mean, e.seconds_deviation, e.bytes_mean, e.bytes_deviation
from asked a
cross join lateral (select j.lane_id, j.kind from sluice.job j where j.job_id = a.job_id offset 0) j
cross join lateral (select l.pipeline, l.class from sluice.lane l where l.lane_id = j.lane_id offset 0) l
left join lateral (select s.memory_kills from sluice.suspect s where s.job_id = a.job_id offset 0) s on true
left join lateral (
  select coalesce(floor(log(2, nullif(greatest(0, sum((p.state ->> 'bytes')::numeric)), 0)))::integer, -1) as exponent
  from sluice.edge u
  cross join lateral (select p.state from sluice.progress p where p.job_id = u.upstream_id offset 0) p
  where u.dependent_id = a.job_id) size on true
left join lateral (
  select e.seconds_mean, e.seconds_deviation, e.bytes_mean, e.bytes_deviation
  from (values (1, l.pipeline, size.exponent), (2, l.pipeline, -1), (3, '', size.exponent), (4, '', -1)) as w (place, pipeline, size)
  cross join lateral (
    select e.seconds_mean, e.seconds_deviation, e.bytes_mean, e.bytes_deviation from sluice.scaling_estimate e
    where e.kind = j.kind and e.pipeline = w.pipeline and e.size = w.size offset 0) e
  order by w.place limit 1) e on true
