-- A person gives up the raw of run $1: no dataset will take it.
update sluice.sealed set skipped = true where run_id = $1::bigint and not skipped returning source, stream
