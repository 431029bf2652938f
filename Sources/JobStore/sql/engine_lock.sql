-- Keeps engines from being removed until the transaction ends. Does not wait, because claims wait for a release that is staged.
select pg_try_advisory_xact_lock_shared(7351904235) as taken
