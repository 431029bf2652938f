-- How many jobs with numbers above $1 and up to $2 each lane got, by kind.
-- Of more than $3 numbers only as many are looked at, evenly spaced, and each stands for those up to the next one: a spike of a million
-- jobs costs what $3 probes cost.
-- Locks: none. Index: primary key of job; lane is small.
with spaced as materialized (
  select greatest(1, ($2::bigint - $1::bigint + $3::bigint - 1) / $3::bigint) as step
), seen as materialized (
  select a.lane_id, a.kind, s.step
  from spaced s
  cross join lateral generate_series($1::bigint + 1, $2::bigint, s.step) as g (number)
  cross join lateral (
    select j.lane_id, j.kind from sluice.job j
    where j.job_id >= g.number and j.job_id < least(g.number + s.step, $2::bigint + 1) order by j.job_id limit 1) a
)
select l.lane_id, l.engine_id, l.pipeline, l.stage, l.class, e.kind, sum(e.step)::bigint as jobs
from seen e join sluice.lane l on l.lane_id = e.lane_id
group by l.lane_id, l.engine_id, l.pipeline, l.stage, l.class, e.kind
order by l.lane_id, e.kind
