-- Keeps every claim out until the transaction ends; see claim_lock.
select pg_advisory_xact_lock(7351904228)
