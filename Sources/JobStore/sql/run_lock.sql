-- Keeps jobs of run $1 with its loads, or of the run of job $2, from ending as done until the transaction ends, and those of the
-- batch that a load waits for; see run_lock_shared.
-- Locks: an advisory lock for each run, in order of their numbers.
select pg_advisory_xact_lock(7351905, (run_id % 2147483647)::integer)
from (select r.run_id from sluice.run r
      where r.run_id = $1::bigint or r.parent_id = $1::bigint
        or r.run_id = (select j.run_id from sluice.job j where j.job_id = $2::bigint)
        or r.run_id = (select l.parent_id from sluice.run l where l.run_id = $1::bigint)
        or r.run_id = (select l.parent_id from sluice.run l join sluice.job j on j.run_id = l.run_id where j.job_id = $2::bigint)
      order by r.run_id) runs
