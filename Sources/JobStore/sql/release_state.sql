-- Moves release $1 from one of the states $2 to the state $3, for the reason $4; as a canary with $5 of 10,000 new runs, looked at
-- for $6 seconds. Runs after claim_lock_exclusive. Returns nothing where it is in no such state.
-- Locks: the release's row.
update sluice.release set state = $3, reason = $4, changed_at = clock_timestamp(), ramp = coalesce($5::integer, 0),
  evidence = make_interval(secs => $6::double precision), looks = 0, looked_at = null, failed_starts = 0,
  canary_since = case when $3 = 'CANARY' then clock_timestamp() when $3 = 'STAGED' then null else canary_since end,
  promoted_at = case when $3 = 'CURRENT' then clock_timestamp() else promoted_at end
where release_id = $1::bigint and state = any ($2::text[])
returning release_id
