-- Renews a worker's lease: $1 worker, $2 seconds. Returns whether it is asked to drain. No row: the worker is revoked.
-- Its commit does not wait for the disk or for a standby (synchronous_commit is off for this transaction alone): on a slow disk a
-- healthy worker's lease would run out while its beat waits. A beat that a crash or a failover of the server loses only lets the lease
-- end earlier, and every session ends with the server: workers beat again on new ones, and the reaper believes no beat that ran out
-- before it has watched for a lease's time. What is written under the lease is fenced by (job, epoch) and waits for the disk itself.
-- Locks: the beat row. Not indexed beyond the primary key, so that the update stays within its page.
update sluice.beat
set beat_at = now(), expires_at = now() + make_interval(secs => $2::double precision), draining = $3::boolean,
  has_session_lock = $4::boolean
where worker_id = $1::bigint
returning drain_asked, set_config('synchronous_commit', 'off', true)
