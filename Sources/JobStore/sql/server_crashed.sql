-- Whether the server has recovered from a crash of one of its processes since the lease ($1 job, $2 epoch) was taken: one row with
-- crashed: true, false, or null where the server cannot tell; none where the lease is lost. For sessions behind a pooler, which hear
-- nothing of it.
-- After a crash the server begins all of its statistics again, at one time, and its start time stays. A reset by hand
-- (pg_stat_reset_shared) is of one kind, or gives each kind a time of its own; kinds that are older than the lease prove that no
-- process crashed. After a restart all of them may be old, and why the server ended is not known.
-- Locks: none. Index: the primary key of lease.
select case
  when pg_postmaster_start_time() >= l.claimed_at then null
  when least(b.stats_reset, a.stats_reset, w.stats_reset) <= l.claimed_at then false
  when b.stats_reset = a.stats_reset and a.stats_reset = w.stats_reset then true
  end as crashed
from sluice.lease l, pg_stat_bgwriter b, pg_stat_archiver a, pg_stat_wal w
where l.job_id = $1::bigint and l.epoch = $2::bigint
