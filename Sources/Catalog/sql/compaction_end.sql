-- Ends compaction $1, which is in the state $2, in the state $3, with the error $4. Returns nothing where it is in another state.
update sluice.compaction set state = $3, error = $4, changed_at = now()
where compaction_id = $1::bigint and state = $2
returning compaction_id
