-- Held for as long as the worker's session lives, so that the reaper sees a crash at once. Does not wait: while the server
-- has not noticed the end of the worker's last session, that one still holds it.
select pg_try_advisory_lock(7351904, $1::bigint::integer) as taken
