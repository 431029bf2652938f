-- Whether this transaction leads the scheduler, to its end; any number of controls may ask.
select pg_try_advisory_xact_lock($1::bigint) as leads
