-- A scheduled run's own time, and that of its loads, is the time it was scheduled for: $1 runs, $2 time.
-- Locks: the run rows, which this transaction has just made.
update sluice.run set run_at = $2::timestamptz where run_id = any ($1::bigint[])
