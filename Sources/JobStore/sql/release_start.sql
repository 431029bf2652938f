-- Notes that a worker of release $1 failed to start, or that one did not ($2).
-- Locks: the release's row.
update sluice.release set failed_starts = case when $2::boolean then least(failed_starts + 1, 1000) else 0 end
where release_id = $1::bigint
