-- No lane is made until this transaction ends; claims go on. The same key as in the trigger lane_inherits_pause.
select pg_advisory_xact_lock(7351904233)
