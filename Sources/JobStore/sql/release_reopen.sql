-- Opens the retired releases again on which dead jobs of run $1 with its loads, or the dead job $2, would be done. Runs after
-- claim_lock. Returns what cannot be done, and why: its release was rejected or removed, or the engine that has its lane by now does not read
-- its checkpoint.
-- Locks: release rows.
with wanted as materialized (
  select d.job_id, l.engine_id, l.release_id, m.format
  from sluice.dead d join sluice.lane l on l.lane_id = d.lane_id join sluice.job j on j.job_id = d.job_id
  left join sluice.mark m on m.job_id = d.job_id and m.step = ''
  where j.job_id = $2::bigint
    or ($2::bigint is null and j.run_id in (select run_id from sluice.run where run_id = $1::bigint or parent_id = $1::bigint))
), refused as materialized (
  select w.job_id, coalesce(r.label, left(r.content_hash, 12)) as release,
    case when r.state <> 'REJECTED' and r.removed_at is null then w.format end as format
  from wanted w join sluice.release r on r.release_id in (w.engine_id, w.release_id)
  where r.state = 'REJECTED' or r.removed_at is not null or r.release_id = w.engine_id and w.format is not null and w.format <> all (r.reads || r.migrates)
), opened as (
  update sluice.release r set state = 'DRAINING', changed_at = clock_timestamp(), reason = 'a job of it was taken up again'
  where r.state in ('DRAINED', 'RETIRED') and exists (
    select from wanted w where r.release_id in (w.engine_id, w.release_id) and w.job_id not in (select job_id from refused))
)
select job_id, release, format from refused
