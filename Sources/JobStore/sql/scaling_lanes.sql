-- The lanes that workers could claim from now: how many jobs are ready, what kind the first of them is, how many of the lane's pipeline run,
-- and how many may (null: no limit).
-- A lane is counted up to a bound, 100,000 jobs over all lanes and 16 to 1,000 of each. What lies behind is estimated from how close to each
-- other the numbers of the counted ones are, and from the highest number: the cost does not depend on how many jobs wait.
-- Locks: none. Index: primary keys of ready and job; leases and lanes are few.
with bound as materialized (
  select greatest(16, least(1000, 100000 / greatest(1, count(*))))::bigint as jobs from sluice.lane
), running as materialized (
  select l.pipeline, count(*) as jobs from sluice.lease e join sluice.lane l on l.lane_id = e.lane_id group by l.pipeline
)
select l.lane_id, l.engine_id, l.pipeline, l.stage, l.class,
  (select j.kind from sluice.job j where j.job_id = s.first) as kind,
  case when s.jobs < b.jobs then s.jobs
    else greatest(s.jobs::double precision,
      1 + round((s.jobs - 1) * ((z.last - s.first)::double precision / (s.reached - s.first))))::bigint end as ready,
  coalesce(u.jobs, 0) as running, m.slots as max_running
from sluice.lane l
cross join bound b
cross join lateral (
  select count(*) as jobs, min(a.job_id) as first, max(a.job_id) as reached
  from (
    select r.job_id from sluice.ready r where r.lane_id = l.lane_id order by r.job_id limit (select jobs from bound)) a) s
cross join lateral (
  select r.job_id as last from sluice.ready r where r.lane_id = l.lane_id order by r.job_id desc limit 1) z
left join running u on u.pipeline = l.pipeline
left join sluice.permit_limit m on l.limited and m.key = 'pipeline/' || l.pipeline
where not l.paused and s.jobs > 0
order by l.lane_id
