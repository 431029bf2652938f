-- The work of the jobs that were enqueued in the last $1 seconds and are done: when each could run first, in seconds after the beginning of
-- that time; the seconds of its attempts without those whose work was lost; its most memory in bytes. At most $2, in order of time.
-- Reads all jobs that are kept, and the partitions of outcome of that time.
with recorded as materialized (
  select j.job_id, j.kind, j.created_at from sluice.job j
  where j.created_at >= now() - make_interval(secs => $1::double precision) and j.created_at < now()
), done as (
  select r.job_id,
    sum(extract(epoch from o.finished_at - o.started_at)) filter (where o.status in ('done', 'yielded', 'snoozed')) as seconds,
    max((o.detail ->> 'peak_memory')::double precision) as memory
  from recorded r join sluice.outcome o on o.job_id = r.job_id
  where o.finished_at >= now() - make_interval(secs => $1::double precision)
  group by r.job_id having bool_or(o.status = 'done')
), unblocked as (
  select r.job_id, max(o.finished_at) as at
  from recorded r join sluice.edge e on e.dependent_id = r.job_id
  join sluice.outcome o on o.job_id = e.upstream_id and o.status = 'done'
  where o.finished_at >= now() - make_interval(secs => $1::double precision)
  group by r.job_id
)
select r.kind,
  extract(epoch from greatest(r.created_at, u.at) - now() + make_interval(secs => $1::double precision))::double precision as at,
  greatest(d.seconds, 0)::double precision as seconds, d.memory
from recorded r join done d on d.job_id = r.job_id left join unblocked u on u.job_id = r.job_id
where greatest(r.created_at, u.at) < now()
order by at, r.job_id limit $2::bigint
