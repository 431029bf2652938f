-- Ends the count that a person set; $1 says who ends it. No row: none was set.
-- Locks: the row.
update sluice.scaling_override set ended_at = now(), ended_by = $1::text where ended_at is null and expires_at > now()
returning override_id, workers, reason, author, created_at::text as created_at, expires_at::text as expires_at,
  extract(epoch from expires_at)::double precision as expires_seconds, extract(epoch from expires_at - now())::double precision as left_seconds
