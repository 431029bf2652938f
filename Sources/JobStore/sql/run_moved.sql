-- Notes that run $2 does the work of run $1. Returns nothing where another does already.
-- Locks: the run's row.
update sluice.run set moved_to = $2::bigint where run_id = $1::bigint and moved_to is null returning run_id
