-- Marks releases as removed that ended more than $1 seconds ago and that nothing needs: no lane with a job of theirs, no run that can
-- still do or be taken up again, no schedule, no message, no worker; not the $2 that were current last, which can be rolled back to.
-- At most 100 at once, only release $3 where it is given. Runs after claim_lock_exclusive: no run begins and no job is claimed or
-- taken up again meanwhile. Returns which.
-- Locks: release rows. Index: lane_engine, lane_release, primary key of ready, later_lane, run_release, outbox_open.
with kept as materialized (
  select release_id from sluice.release
  where promoted_at is not null and removed_at is null and state <> 'REJECTED'
  order by promoted_at desc limit $2::integer
), leased as materialized (
  select distinct lane_id from sluice.lease
), blocked as materialized (
  select distinct lane_id from sluice.blocked
), dead as materialized (
  -- Whoever cancels a run gives its dead jobs up.
  select distinct d.lane_id from sluice.dead d join sluice.job j on j.job_id = d.job_id
  left join sluice.run r on r.run_id = j.run_id
  where not d.cancelled and coalesce(r.state, 'failed') not in ('cancelled', 'succeeded')
), told as materialized (
  select distinct r.release_id from sluice.outbox o join sluice.run r on r.run_id = o.run_id
  where o.delivered_at is null and o.given_up_at is null
), ended as materialized (
  select r.release_id from sluice.release r
  where r.state in ('RETIRED', 'REJECTED') and r.removed_at is null
    and r.changed_at < clock_timestamp() - make_interval(secs => $1::double precision)
    and r.release_id not in (select release_id from kept)
    and ($3::bigint is null or r.release_id = $3::bigint)
    and r.release_id not in (select release_id from told)
    and not exists (select from sluice.run u where u.release_id = r.release_id and u.state in ('queued', 'running'))
    and not exists (select from sluice.schedule s where s.release_id = r.release_id)
    and not exists (select from sluice.worker w join sluice.beat b on b.worker_id = w.worker_id
      where w.release_id = r.release_id and b.expires_at > now())
    and not exists (
      select from (
        select l.lane_id from sluice.lane l where l.engine_id = r.release_id
        union all select l.lane_id from sluice.lane l where l.release_id = r.release_id) l
      where exists (select from sluice.ready y where y.lane_id = l.lane_id)
        or exists (select from sluice.later t where t.lane_id = l.lane_id)
        or l.lane_id in (select lane_id from leased) or l.lane_id in (select lane_id from blocked)
        or l.lane_id in (select lane_id from dead))
  order by r.release_id limit 100
)
update sluice.release r set removed_at = clock_timestamp()
from ended e where r.release_id = e.release_id
returning r.release_id, coalesce(r.label, left(r.content_hash, 12)) as name
