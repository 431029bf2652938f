-- The last $1 settled predictions of each of the first $2 kinds, by kind, the oldest first.
-- Locks: none. Index: scaling_prediction_kind, which is entered once for each kind. The kind is compared twice: with = the planner takes
-- scaling_prediction_time, and for a rare kind it would read all of it.
with recursive kinds as (
  (select p.kind from sluice.scaling_prediction p order by p.kind limit 1)
  union all
  select (select p.kind from sluice.scaling_prediction p where p.kind > k.kind order by p.kind limit 1)
  from kinds k where k.kind is not null
), named as materialized (
  select k.kind from kinds k where k.kind is not null limit $2::bigint
)
select p.*
from named n
cross join lateral (
  select p.prediction_id, p.settled_at, p.job_id, p.kind, p.release_id, p.basis, p.seconds_mean, p.seconds_deviation, p.seconds_high,
    p.seconds_actual, p.bytes_mean, p.bytes_deviation, p.bytes_high, p.bytes_actual, p.stands_for, p.seconds_width, p.bytes_width
  from sluice.scaling_prediction p where p.kind >= n.kind and p.kind <= n.kind
  order by p.kind desc, p.settled_at desc limit $1::bigint) p
order by p.kind, p.settled_at, p.prediction_id
