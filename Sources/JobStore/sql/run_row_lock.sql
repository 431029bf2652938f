-- Waits for whoever ends jobs of run $1 with its loads, or of the run of job $2, as dead.
-- Locks: run rows in order of their number.
select from sluice.run r
where r.run_id = $1::bigint or r.parent_id = $1::bigint
  or r.run_id = (select j.run_id from sluice.job j where j.job_id = $2::bigint)
order by r.run_id
for update
