-- Renews a worker's lease: $1 worker, $2 seconds. No row: the worker is revoked.
-- Not indexed beyond the primary key, so that the update stays within its page.
update sluice.beat
set beat_at = now(), expires_at = now() + make_interval(secs => $2::double precision), draining = $3::boolean,
  has_session_lock = $4::boolean
where worker_id = $1::bigint
returning worker_id
