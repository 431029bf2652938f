-- Of the releases $1: whether their engine has something to do (is_served), and whether anything keeps them (is_pinned: also what
-- another engine does by their definition). Asked all the time: one probe a lane, whatever the number of jobs.
-- Index: lane_engine, lane_release, primary key of ready, later_lane; leases, of which there are few, are gathered once.
with busy as materialized (
  select distinct lane_id from sluice.lease
), lanes as materialized (
  select r.release_id, l.lane_id, l.engine_id = r.release_id as is_served
  from unnest($1::bigint[]) as r (release_id)
  cross join lateral (
    select l.lane_id, l.engine_id from sluice.lane l where l.engine_id = r.release_id
    union select l.lane_id, l.engine_id from sluice.lane l where l.release_id = r.release_id) l
), working as (
  select w.release_id, w.is_served from lanes w
  where exists (select from sluice.ready r where r.lane_id = w.lane_id)
    or exists (select from sluice.later t where t.lane_id = w.lane_id) or w.lane_id in (select lane_id from busy)
)
select r.release_id, exists (select from working w where w.release_id = r.release_id and w.is_served) as is_served,
  exists (select from working w where w.release_id = r.release_id) as is_pinned,
  exists (select from sluice.worker k join sluice.beat b on b.worker_id = k.worker_id
    where k.release_id = r.release_id and b.expires_at > now()) as has_workers
from unnest($1::bigint[]) as r (release_id)
