-- Sets the count to $1 workers for $2 seconds, because of $3, said by $4; ends what was set before.
-- Locks: the rows of overrides that have not ended.
with ended as (
  update sluice.scaling_override set ended_at = now(), ended_by = $4::text where ended_at is null and expires_at > now()
)
insert into sluice.scaling_override (workers, reason, author, expires_at)
values ($1::integer, $3::text, $4::text, now() + make_interval(secs => $2::double precision))
returning override_id, workers, reason, author, created_at::text as created_at, expires_at::text as expires_at,
  extract(epoch from expires_at)::double precision as expires_seconds, extract(epoch from expires_at - now())::double precision as left_seconds
