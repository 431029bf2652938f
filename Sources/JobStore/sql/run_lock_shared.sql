-- Keeps the runs $1 from being taken up again until the transaction ends. Taken by what ends jobs of a run as done, in a
-- statement of its own before: within one statement the snapshot would be older than the lock, and a job that a retry blocks
-- meanwhile would wait for ever for one that is done.
-- Locks: an advisory lock for each run, shared, in order of their numbers.
select pg_advisory_xact_lock_shared(7351905, (run_id % 2147483647)::integer)
from (select distinct run_id from unnest($1::bigint[]) as r (run_id) order by run_id) runs
