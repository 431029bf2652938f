-- The runs $1 must be done by $2.
-- Locks: the run rows, which this transaction has just made.
update sluice.run set deadline_at = $2::timestamptz where run_id = any ($1::bigint[])
