-- Stores a decision of the process $1 with epoch $2, and what it gives to the next one ($11). No row: the process does not decide any more.
-- Locks: the one row of the lead, which fences: a process whose lease ran out stores nothing.
with leads as (
  update sluice.scaling_lead set history = $11::jsonb
  where holder = $1::text and epoch = $2::bigint and until > now()
  returning epoch
)
insert into sluice.scaling_decision (epoch, total, demanded, counts, stops, drains, reasons, limited_by, inputs)
select l.epoch, $3::integer, $4::integer, $5::jsonb, $6::bigint[], $7::bigint[], $8::text[], $9::text, $10::jsonb from leads l
returning decision_id
