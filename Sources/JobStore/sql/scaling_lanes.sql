-- The lanes that workers could claim from now: how many jobs are ready, what kind the first of them is, how many of the lane's pipeline run,
-- and how many may (null: no limit).
-- The first jobs of a lane are counted, 100,000 over all lanes and 16 to 1,000 of each. The numbers behind them are cut into up to 100 parts,
-- and of each part 16 numbers in a row are looked at: the share of them that are ready jobs of the lane stands for the part. So the cost does
-- not depend on how many jobs wait. The places in the parts follow the golden ratio, so that they fall into step with no regular enqueuing.
-- Locks: none. Index: primary keys of ready and job; leases and lanes are few.
with bound as materialized (
  select b.jobs, greatest(2, b.jobs / 10) as parts
  from (select greatest(16, least(1000, 100000 / greatest(1, count(*))))::bigint as jobs from sluice.lane) b
), running as materialized (
  select l.pipeline, count(*) as jobs from sluice.lease e join sluice.lane l on l.lane_id = e.lane_id group by l.pipeline
)
select l.lane_id, l.engine_id, l.pipeline, l.stage, l.class,
  (select j.kind from sluice.job j where j.job_id = s.first) as kind,
  s.jobs + rest.jobs as ready, coalesce(u.jobs, 0) as running, m.slots as max_running
from sluice.lane l
cross join bound b
cross join lateral (
  select count(*) as jobs, min(a.job_id) as first, max(a.job_id) as reached
  from (
    select r.job_id from sluice.ready r where r.lane_id = l.lane_id order by r.job_id limit (select jobs from bound)) a) s
cross join lateral (
  select r.job_id as last from sluice.ready r where r.lane_id = l.lane_id order by r.job_id desc limit 1) z
cross join lateral (
  select coalesce(round(sum(w.jobs * ((i.upper - i.lower)::double precision / w.width))), 0)::bigint as jobs
  from generate_series(0, case when s.jobs < b.jobs then -1 else b.parts - 1 end) as g (number)
  cross join lateral (
    select s.reached + 1 + (z.last - s.reached) * g.number / b.parts as lower,
      s.reached + 1 + (z.last - s.reached) * (g.number + 1) / b.parts as upper) i
  cross join lateral (
    select least(16, i.upper - i.lower) as width,
      (select count(*) from sluice.ready r
       where r.lane_id = l.lane_id and r.job_id >= p.start and r.job_id < p.start + least(16, i.upper - i.lower)) as jobs
    from (
      select i.lower + floor((i.upper - i.lower - least(16, i.upper - i.lower))
        * ((g.number + 1) * 0.6180339887 - floor((g.number + 1) * 0.6180339887)))::bigint as start) p) w
  where i.upper > i.lower) rest
left join running u on u.pipeline = l.pipeline
left join sluice.permit_limit m on l.limited and m.key = 'pipeline/' || l.pipeline
where not l.paused and s.jobs > 0
order by l.lane_id
