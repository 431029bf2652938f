-- Keeps releases from being staged until the transaction ends; see engine_lock. Claims go on.
select pg_advisory_xact_lock(7351904235)
