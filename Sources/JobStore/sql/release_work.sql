-- What each of the releases $1 has to do still, by its definition or by its engine: jobs that can be done or run, jobs that wait for
-- others, unfinished runs, the oldest of them, and the workers that live. Counts: not for what is asked all the time.
-- Index: lane_engine, lane_release, primary key of ready.
with places as materialized (
  select distinct r.release_id, l.lane_id
  from unnest($1::bigint[]) as r (release_id)
  cross join lateral (
    select l.lane_id from sluice.lane l where l.engine_id = r.release_id
    union select l.lane_id from sluice.lane l where l.release_id = r.release_id) l
), pinned as materialized (
  select p.release_id, w.state, count(*) as jobs, min(w.job_id) as oldest
  from sluice.open_work w join places p on p.lane_id = w.lane_id
  group by 1, 2
), waiting as materialized (
  select p.release_id, count(*) as jobs from sluice.blocked b join places p on p.lane_id = b.lane_id group by 1
)
select r.release_id,
  coalesce((select sum(p.jobs) from pinned p where p.release_id = r.release_id), 0)::bigint as jobs,
  coalesce((select sum(p.jobs) from pinned p where p.release_id = r.release_id and p.state = 'LEASED'), 0)::bigint as running,
  coalesce((select w.jobs from waiting w where w.release_id = r.release_id), 0) as blocked,
  (select count(*) from sluice.run u where u.release_id = r.release_id and u.state in ('queued', 'running')) as runs,
  (select extract(epoch from now() - j.created_at)::double precision from sluice.job j
   where j.job_id = (select min(p.oldest) from pinned p where p.release_id = r.release_id)) as oldest_seconds,
  (select count(*) from sluice.worker w join sluice.beat b on b.worker_id = w.worker_id
   where w.release_id = r.release_id and b.expires_at > now()) as workers,
  (select coalesce(sum(w.slots), 0) from sluice.worker w join sluice.beat b on b.worker_id = w.worker_id
   where w.release_id = r.release_id and b.expires_at > now() and not b.draining and not b.drain_asked) as slots
from unnest($1::bigint[]) as r (release_id)
