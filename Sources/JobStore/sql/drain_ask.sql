-- Asks worker $1 to drain, or all of host $2, or all of release $3. Returns those that live.
-- Locks: beat rows.
update sluice.beat b set drain_asked = true from sluice.worker w
where w.worker_id = b.worker_id and b.expires_at > now()
  and (w.worker_id = $1::bigint or w.host = $2 or w.release_id = $3::bigint)
returning w.worker_id, w.host, w.pid, w.release_id
