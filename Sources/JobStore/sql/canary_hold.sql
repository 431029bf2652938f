-- Says why release $1 is held in canary.
-- Locks: the release's row.
update sluice.release set reason = $2 where release_id = $1::bigint and state = 'CANARY' and reason is distinct from $2
