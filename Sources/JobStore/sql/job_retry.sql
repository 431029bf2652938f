-- Takes up dead jobs of run $1 (or the job $2) again, with fresh attempts and the epoch they died at.
-- Locks: dead rows, then the run row.
with risen as (
  delete from sluice.dead d using sluice.job j
  where j.job_id = d.job_id and (j.run_id = $1::bigint or j.job_id = $2::bigint)
  returning d.job_id, d.lane_id, d.epoch, j.run_id
), again as (
  insert into sluice.ready (lane_id, job_id, attempt, epoch, since) select lane_id, job_id, 0, epoch, now() from risen
), reopened as (
  update sluice.run set state = 'running', finished_at = null, error = null
  where run_id in (select run_id from risen)
)
select job_id from risen
