-- The last $1 decisions that were stored, the oldest first.
-- Index: scaling_decision_time.
select d.decision_id, d.epoch, d.decided_at::text as decided_at,
  extract(epoch from now() - d.decided_at)::double precision as age_seconds,
  d.total, d.demanded, d.counts, d.stops::text as stops, d.drains::text as drains, to_json(d.reasons)::text as reasons, d.limited_by, d.inputs
from (
  select a.* from sluice.scaling_decision a order by a.decided_at desc, a.decision_id desc limit $1::bigint) d
order by d.decided_at, d.decision_id
