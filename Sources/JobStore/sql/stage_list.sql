-- How many jobs of each pipeline and stage stand where, and how old the first of them is.
-- Reads only the tables of places: what is done, which may be millions of jobs, costs nothing.
-- Locks: none. Index: primary keys of ready and job.
with places as (
  select lane_id, 'READY' as state, count(*) as jobs, min(job_id) as first from sluice.ready group by lane_id
  union all
  select lane_id, 'LEASED', count(*), min(job_id) from sluice.lease group by lane_id
  union all
  select lane_id, 'LATER', count(*), min(job_id) from sluice.later group by lane_id
  union all
  select lane_id, 'BLOCKED', count(*), min(job_id) from sluice.blocked group by lane_id
  union all
  select lane_id, case when cancelled then 'CANCELLED' else 'DEAD' end, count(*), min(job_id) from sluice.dead group by 1, 2
)
select l.pipeline, l.stage, p.state, sum(p.jobs)::bigint as jobs,
  extract(epoch from now() - min(j.created_at))::double precision as oldest_seconds
from places p join sluice.lane l on l.lane_id = p.lane_id join sluice.job j on j.job_id = p.first
group by l.pipeline, l.stage, p.state order by 1, 2, 3
