-- What workers could claim from lanes now: how many jobs are ready, what kind the first of them is, and how many of the lane's pipeline may run
-- (null: no limit). Looks at the lanes $1 and at the next $3 (null: all) with numbers above $2; one that is paused or empty has no ready job.
-- The first jobs of a lane are counted, 5,000 over all lanes and 16 to 1,000 of each. The numbers behind them are cut into 2 to 100 parts.
-- Each part is taken to be as dense as the 16 jobs that follow a place in it. So the cost does not depend on how many jobs wait. The places
-- follow the golden ratio, so that they fall into step with no regular enqueuing.
-- Locks: none. Index: primary keys of lane, ready, job and permit_limit.
with looked as materialized (
  select l.lane_id, l.engine_id, l.pipeline, l.stage, l.class, l.limited, l.paused, l.lane_id > $2::bigint and l.lane_id <= n.last as in_turn
  from (
    select coalesce(max(a.lane_id), 0) as last
    from (select r.lane_id from sluice.lane r where r.lane_id > $2::bigint order by r.lane_id limit $3::bigint) a) n
  join sluice.lane l on l.lane_id > $2::bigint and l.lane_id <= n.last or l.lane_id = any ($1::bigint[])
), bound as materialized (
  select greatest(16, least(1000, 5000 / greatest(1, count(*))))::bigint as jobs,
    greatest(2, least(100, 512 / greatest(1, count(*))))::bigint as parts
  from looked
)
select l.lane_id, l.engine_id, l.pipeline, l.stage, l.class, l.in_turn,
  (select j.kind from sluice.job j where j.job_id = s.first) as kind,
  s.jobs + rest.jobs as ready,
  (select m.slots from sluice.permit_limit m where l.limited and m.key = 'pipeline/' || l.pipeline) as max_running
from looked l
cross join bound b
cross join lateral (
  select count(*) as jobs, min(a.job_id) as first, max(a.job_id) as reached
  from (
    select r.job_id from sluice.ready r where r.lane_id = l.lane_id and not l.paused
    order by r.job_id limit (select jobs from bound)) a) s
left join lateral (
  select r.job_id as last from sluice.ready r where r.lane_id = l.lane_id and s.jobs >= b.jobs order by r.job_id desc limit 1) z on true
cross join lateral (
  select coalesce(round(sum((i.upper - i.lower) * (w.jobs - 0.5) / (w.reached - p.start + 0.5))), 0)::bigint as jobs
  from generate_series(0, case when z.last > s.reached then b.parts - 1 else -1 end) as g (number)
  cross join lateral (
    select s.reached + 1 + (z.last - s.reached) * g.number / b.parts as lower,
      s.reached + 1 + (z.last - s.reached) * (g.number + 1) / b.parts as upper) i
  cross join lateral (
    select i.lower + floor((i.upper - i.lower) * ((g.number + 1) * 0.6180339887 - floor((g.number + 1) * 0.6180339887)))::bigint as start) p
  cross join lateral (
    select count(*) as jobs, max(a.job_id) as reached
    from (
      select r.job_id from sluice.ready r where r.lane_id = l.lane_id and r.job_id >= p.start order by r.job_id limit 16) a) w
  where i.upper > i.lower and w.jobs > 0) rest
order by l.lane_id
