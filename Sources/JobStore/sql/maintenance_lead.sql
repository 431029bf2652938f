-- Whether this transaction is the one that maintains the queue, how old its session is, and what the database's clock says: a
-- restart, a crash recovery or a failover of the server ends every session, a jump of the clock ends every beat, and neither says
-- anything of the workers.
-- Locks: the advisory lock of maintenance, until the transaction ends; does not wait. Behind a transaction pooler as well.
select pg_try_advisory_xact_lock(7351904229) as leads,
  extract(epoch from now() - (select a.backend_start from pg_stat_activity a where a.pid = pg_backend_pid()))::double precision
    as session_seconds,
  extract(epoch from now())::double precision as database_seconds
