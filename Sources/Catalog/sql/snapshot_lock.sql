-- One snapshot of a dataset is committed at a time, so that numbers follow the order of commits.
select pg_advisory_xact_lock(hashtextextended('sluice/snapshot/' || $1 || '/' || $2, 0))
