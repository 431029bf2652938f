-- How many jobs with numbers above $1 and up to $2 each lane got, by kind.
-- Of more than $3 numbers only as many are looked at: one of each range of numbers stands for the range. A spike of a million jobs costs what
-- $3 probes cost. The places in the ranges follow the golden ratio, so that they fall into step with no regular enqueuing.
-- Locks: none. Index: primary keys of job and lane.
with spaced as materialized (
  select greatest(1, ($2::bigint - $1::bigint + $3::bigint - 1) / $3::bigint) as step
), seen as materialized (
  select a.lane_id, a.kind, sum(s.step)::bigint as jobs
  from spaced s
  cross join lateral generate_series(0, ($2::bigint - $1::bigint - 1) / s.step) as g (number)
  cross join lateral (
    select j.lane_id, j.kind from sluice.job j
    where j.job_id = $1::bigint + 1 + g.number * s.step
      + floor(s.step * (g.number * 0.6180339887 - floor(g.number * 0.6180339887)))::bigint
      and j.job_id <= $2::bigint
    limit 1) a
  group by a.lane_id, a.kind
)
select l.lane_id, l.engine_id, l.pipeline, l.stage, l.class, e.kind, e.jobs
from seen e join sluice.lane l on l.lane_id = e.lane_id
order by l.lane_id, e.kind
