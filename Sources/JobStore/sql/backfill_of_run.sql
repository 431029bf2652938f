-- The range of run $1, where it is a backfill.
select range_from, range_to, array_to_string(streams, ',') as streams from sluice.backfill where run_id = $1::bigint
