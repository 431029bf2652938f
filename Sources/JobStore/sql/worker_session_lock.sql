-- Held for as long as the worker's session lives, so that the reaper sees a crash at once.
select pg_advisory_lock(7351904, $1::bigint::integer)
