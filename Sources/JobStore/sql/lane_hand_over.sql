-- Gives lanes to the engine of release $1, all that a pipeline has of one definition on one engine or nothing of it. Of those
-- that hand over, those without an engine of their own, those of its own definition, or all ($3); on engine $2, or on every one
-- whose release takes no runs (null). Only where the engine reads every checkpoint that lives there and every one that whoever works
-- there now, or may, could still write before it gives its jobs back.
-- Runs after claim_lock_exclusive. Returns the groups with work: which moved, and which did not and why.
-- Locks: lane rows.
with target as materialized (
  select release_id, reads || migrates as readable from sluice.release where release_id = $1::bigint
), working as materialized (
  select lane_id, job_id, was_claimed from sluice.open_work
  union all select lane_id, job_id, true from sluice.blocked
), counted as materialized (
  select lane_id, count(*) as jobs from working group by lane_id
), grouped as materialized (
  select l.release_id, l.pipeline, l.engine_id, array_agg(l.lane_id) as lanes, array_agg(distinct l.stage) as stages,
    coalesce(sum(w.jobs), 0)::bigint as jobs,
    $3::boolean or l.engine_id = 0 or l.release_id = $1::bigint or bool_or(l.hands_over) as wanted
  from sluice.lane l left join counted w on w.lane_id = l.lane_id
  -- What began without a release has no engine to go back to: it moves also where all of it has ended, dead jobs included.
  where l.engine_id <> $1::bigint and (w.lane_id is not null or l.engine_id = 0)
    and (l.engine_id <> 0 or l.stage in ('ingest', 'curate', 'load'))
    and case when $2::bigint is not null then l.engine_id = $2::bigint
      else l.engine_id = 0 or exists (
        select from sluice.release r where r.release_id = l.engine_id and r.state not in ('CURRENT', 'CANARY')) end
  group by l.release_id, l.pipeline, l.engine_id
), writers as materialized (
  select g.release_id, g.pipeline, g.engine_id, g.engine_id as writer from grouped g
  union
  select g.release_id, g.pipeline, g.engine_id, coalesce(k.release_id, 0)
  from grouped g join sluice.lease e on e.lane_id = any (g.lanes) join sluice.worker k on k.worker_id = e.worker_id
), judged as materialized (
  select g.*,
    (select string_agg(distinct m.format, ', ' order by m.format) from working w join sluice.mark m on m.job_id = w.job_id and m.step = ''
     where w.lane_id = any (g.lanes) and w.was_claimed and m.format <> all (t.readable)) as unreadable,
    (select string_agg(distinct f, ', ' order by f) from writers o join sluice.release e on e.release_id = o.writer
     cross join unnest(e.writes) as f
     where (o.release_id, o.pipeline, o.engine_id) = (g.release_id, g.pipeline, g.engine_id)
       and split_part(f, '.', 1) = any (g.stages) and f <> all (t.readable)) as unwritten,
    -- A process that does one run and leaves with it: nobody else is there to go on, also while it is between two jobs.
    (select min(k.pid) from sluice.worker k join sluice.beat b on b.worker_id = k.worker_id
     where k.serves_one_run and b.expires_at > now() and coalesce(k.release_id, 0) = g.engine_id
       and not exists (
         select from sluice.worker o join sluice.beat a on a.worker_id = o.worker_id
         where not o.serves_one_run and a.expires_at > now() and coalesce(o.release_id, 0) = g.engine_id)) as alone
  from grouped g cross join target t
), moved as (
  update sluice.lane l set engine_id = $1::bigint, takes_new = false
  from judged j
  where l.release_id = j.release_id and l.pipeline = j.pipeline and l.engine_id = j.engine_id
    and (l.engine_id <> 0 or l.stage in ('ingest', 'curate', 'load'))
    and j.wanted and j.unreadable is null and j.unwritten is null and j.alone is null
  returning l.lane_id
)
select j.release_id, j.pipeline, j.engine_id, j.jobs, j.wanted, coalesce(j.unreadable, j.unwritten) as unreadable, j.alone,
  array_to_string(array(select lane_id from moved where lane_id = any (j.lanes)), ',') as lanes
from judged j where j.jobs > 0 or j.engine_id = 0 order by j.pipeline, j.release_id, j.engine_id
