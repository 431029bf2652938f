-- Decisions from $1 up to $2 (seconds since 1970), the oldest first: of each of $3 equal parts of that time the one that the work asked most for.
-- Index: scaling_decision_time.
select p.decision_id, p.epoch, p.decided_at::text as decided_at,
  extract(epoch from now() - p.decided_at)::double precision as age_seconds,
  p.total, p.demanded, p.counts, p.stops::text as stops, p.drains::text as drains, to_json(p.reasons)::text as reasons, p.limited_by, p.inputs
from (
  select distinct on (d.part) d.*
  from (
    select a.*, floor((extract(epoch from a.decided_at)::double precision - $1::double precision)
      / (($2::double precision - $1::double precision) / $3::bigint)) as part
    from sluice.scaling_decision a
    where a.decided_at >= to_timestamp($1::double precision) and a.decided_at < to_timestamp($2::double precision)) d
  order by d.part, d.demanded desc, d.total desc, d.decided_at desc) p
order by p.decided_at, p.decision_id
