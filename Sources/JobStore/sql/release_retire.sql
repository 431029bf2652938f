-- Draining releases of which nothing is left to do are drained, and retired once none of their workers lives. Runs after
-- claim_lock_exclusive: what is seen here is still so when this commits. Returns those that moved.
-- Locks: release rows. Index: lane_engine, lane_release, primary key of ready, later_lane.
with busy as materialized (
  select distinct lane_id from sluice.lease
), idle as (
  select r.release_id, exists (
    select from sluice.worker w join sluice.beat b on b.worker_id = w.worker_id
    where w.release_id = r.release_id and b.expires_at > now()) as has_workers
  from sluice.release r
  where r.state in ('DRAINING', 'DRAINED') and not exists (
    select from (
      select l.lane_id from sluice.lane l where l.engine_id = r.release_id
      union all select l.lane_id from sluice.lane l where l.release_id = r.release_id) l
    where exists (select from sluice.ready y where y.lane_id = l.lane_id)
      or exists (select from sluice.later t where t.lane_id = l.lane_id) or l.lane_id in (select lane_id from busy))
)
update sluice.release r set state = case when i.has_workers then 'DRAINED' else 'RETIRED' end, changed_at = clock_timestamp()
from idle i
where r.release_id = i.release_id and r.state <> case when i.has_workers then 'DRAINED' else 'RETIRED' end
returning r.release_id, r.state
