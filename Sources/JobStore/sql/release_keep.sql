-- Somebody is at work on the staged release $1 still.
-- Locks: the release's row.
update sluice.release set changed_at = clock_timestamp() where release_id = $1::bigint and state = 'STAGED'
returning release_id
