-- Opens the retired releases again on which dead jobs of run $1 with its loads, or the dead job $2, would be done. Runs after
-- claim_lock. Returns those that are rejected: their jobs must not be done.
-- Locks: release rows.
with wanted as (
  select r.release_id, r.state
  from sluice.dead d join sluice.lane l on l.lane_id = d.lane_id join sluice.job j on j.job_id = d.job_id
  join sluice.release r on r.release_id in (l.engine_id, l.release_id)
  where j.job_id = $2::bigint
    or ($2::bigint is null and j.run_id in (select run_id from sluice.run where run_id = $1::bigint or parent_id = $1::bigint))
), opened as (
  update sluice.release r set state = 'DRAINING', changed_at = clock_timestamp(), reason = 'a job of it was taken up again'
  where r.release_id in (select release_id from wanted where state in ('DRAINED', 'RETIRED'))
    and r.state in ('DRAINED', 'RETIRED')
)
select distinct release_id from wanted where state = 'REJECTED'
