-- What each of the releases $1 (null: all) has to do still, by its definition or by its engine: jobs that can be done or run,
-- jobs that wait for others, unfinished runs, the oldest of them, and the workers that live.
with pinned as (
  select x.release_id, w.state, count(*) as jobs, min(j.created_at) as oldest
  from sluice.open_work w
  join sluice.lane l on l.lane_id = w.lane_id
  cross join lateral (select distinct v.release_id from (values (l.engine_id), (l.release_id)) as v (release_id) where v.release_id <> 0) x
  join sluice.job j on j.job_id = w.job_id
  group by 1, 2
)
select r.release_id,
  coalesce((select sum(p.jobs) from pinned p where p.release_id = r.release_id), 0)::bigint as jobs,
  coalesce((select sum(p.jobs) from pinned p where p.release_id = r.release_id and p.state = 'LEASED'), 0)::bigint as running,
  (select count(*) from sluice.blocked b join sluice.lane l on l.lane_id = b.lane_id
   where r.release_id in (l.engine_id, l.release_id)) as blocked,
  (select count(*) from sluice.run u where u.release_id = r.release_id and u.state in ('queued', 'running')) as runs,
  (select extract(epoch from now() - min(p.oldest))::double precision from pinned p where p.release_id = r.release_id)
    as oldest_seconds,
  (select count(*) from sluice.worker w join sluice.beat b on b.worker_id = w.worker_id
   where w.release_id = r.release_id and b.expires_at > now()) as workers,
  (select coalesce(sum(w.slots), 0) from sluice.worker w join sluice.beat b on b.worker_id = w.worker_id
   where w.release_id = r.release_id and b.expires_at > now() and not b.draining) as slots
from sluice.release r where $1::bigint[] is null or r.release_id = any ($1::bigint[])
