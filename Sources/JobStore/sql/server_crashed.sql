-- Whether the server has recovered from a crash of one of its processes since the lease ($1 job, $2 epoch) was taken: a row where it
-- has. Its statistics begin again then, and its start time stays. For sessions behind a pooler, which hear nothing of it.
-- Locks: none. Index: the primary key of lease.
select l.job_id from sluice.lease l, pg_stat_bgwriter b
where l.job_id = $1::bigint and l.epoch = $2::bigint
  and b.stats_reset > l.claimed_at and pg_postmaster_start_time() < l.claimed_at
