-- Takes up the dead and cancelled jobs of run $1 and its loads (or the job $2) again, with fresh attempts and the epoch
-- they died at; one that waits for others that are not done is blocked again. One whose key another living job has by now
-- stays dead, and so does one whose release is rejected or removed,
-- or whose checkpoint its engine does not read. A run is open again once none of its jobs is dead.
-- Runs after claim_lock, which keeps cancellations out, run_lock, lease_uncancel and run_row_lock: what ends a job as dead
-- holds the row of its run, and this statement's snapshot must be newer than that.
-- Locks: run rows in order of their number, then live keys in their order, then dead rows.
with concerned as materialized (
  select r.run_id from sluice.run r
  where r.run_id = $1::bigint or r.parent_id = $1::bigint
    or r.run_id = (select j.run_id from sluice.job j where j.job_id = $2::bigint)
  order by r.run_id
  for update
), wanted as materialized (
  select d.job_id, j.live_key from sluice.dead d join sluice.job j on j.job_id = d.job_id
  where (j.job_id = $2::bigint or ($2::bigint is null and j.run_id in (select run_id from concerned)))
    and not exists (
      select from sluice.lane l join sluice.release x on x.release_id in (l.engine_id, l.release_id)
      left join sluice.mark m on m.job_id = d.job_id and m.step = ''
      where l.lane_id = d.lane_id
        and (x.state = 'REJECTED' or x.removed_at is not null or x.release_id = l.engine_id and m.format <> all (x.reads || x.migrates)))
), keyed as (
  insert into sluice.live_key (key, job_id)
  select live_key, job_id from wanted where live_key is not null order by live_key
  on conflict (key) do nothing
  returning job_id
), risen as (
  delete from sluice.dead d using wanted w, sluice.job j
  where d.job_id = w.job_id and j.job_id = w.job_id and (w.live_key is null or d.job_id in (select job_id from keyed))
  returning d.job_id, d.lane_id, d.epoch, j.run_id
), placed as materialized (
  select r.*, (select count(*)::integer from sluice.edge e join sluice.job_state u on u.job_id = e.upstream_id
               where e.dependent_id = r.job_id and u.state <> 'DONE') as waits
  from risen r
), again as (
  insert into sluice.ready (lane_id, job_id, attempt, epoch, since)
  select lane_id, job_id, 0, epoch, coalesce($3::timestamptz, now()) from placed where waits = 0
), forgiven as (
  update sluice.suspect set memory_kills = 0
  where memory_kills > 0 and job_id = any (array(select job_id from risen))
), waiting as (
  insert into sluice.blocked (job_id, pending, lane_id) select job_id, waits, lane_id from placed where waits > 0
), reopened as (
  update sluice.run r set state = 'running', finished_at = null, error = null
  where (r.run_id in (select run_id from risen)
      -- All that is left of it runs, and was let go on.
      or $2::bigint is null and r.state = 'cancelled' and r.run_id in (select run_id from concerned)
        and exists (select from sluice.lease l where l.run_id = r.run_id))
    -- Asked to stop still, and nobody takes that back with one job: it ends as cancelled, and the run with it.
    and not exists (select from sluice.lease l where l.run_id = r.run_id and l.cancelled)
    and not exists (
    select from sluice.dead d join sluice.job j on j.job_id = d.job_id
    where j.run_id = r.run_id and d.job_id not in (select job_id from risen))
)
select job_id, lane_id from placed
