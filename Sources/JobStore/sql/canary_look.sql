-- Counts a look at the rates of canary $1, unless one was counted in the last share of its evidence's time, or all were.
-- Returns which it is.
-- Locks: the release's row.
update sluice.release set looks = looks + 1, looked_at = clock_timestamp()
where release_id = $1::bigint and state = 'CANARY' and looks < $2::integer
  and coalesce(looked_at, changed_at) + evidence / $2::integer <= clock_timestamp()
returning looks
