-- The count that a person set and that holds still; none: no row.
select override_id, workers, reason, author, created_at::text as created_at, expires_at::text as expires_at,
  extract(epoch from expires_at)::double precision as expires_seconds, extract(epoch from expires_at - now())::double precision as left_seconds
from sluice.scaling_override where ended_at is null and expires_at > now()
order by override_id desc limit 1
