-- Taken shared by every claim and exclusively by promote and retire, in a statement of its own before the claim:
-- within one statement the snapshot would be older than the lock.
select pg_advisory_xact_lock_shared(7351904228)
