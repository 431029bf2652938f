-- The last decision that was stored by the time $1 (null: now).
-- Index: scaling_decision_time.
select d.decision_id, d.epoch, d.decided_at::text as decided_at,
  extract(epoch from now() - d.decided_at)::double precision as age_seconds,
  d.total, d.demanded, d.counts, d.stops::text as stops, d.drains::text as drains, to_json(d.reasons)::text as reasons, d.limited_by, d.inputs
from sluice.scaling_decision d
where d.decided_at <= coalesce($1::timestamptz, now())
order by d.decided_at desc, d.decision_id desc limit 1
