-- Gives lanes to the engine of release $1, all that a pipeline has of one definition on one engine or nothing of it. Of those
-- that hand over, those without an engine of their own, those of its own definition, or all ($3); on engine $2, or on every one
-- whose release drains or is rejected (null). Only where the engine reads every checkpoint that lives there and every one that the
-- engine before may write before it gives its jobs back.
-- Runs after claim_lock_exclusive. Returns the groups with work: which moved, and which did not and why.
-- Locks: lane rows.
with target as materialized (
  select release_id, reads || migrates as readable from sluice.release where release_id = $1::bigint
), working as materialized (
  select lane_id, job_id, was_claimed from sluice.open_work
  union all select lane_id, job_id, true from sluice.blocked
), grouped as materialized (
  select l.release_id, l.pipeline, l.engine_id, array_agg(l.lane_id) as lanes, array_agg(distinct l.stage) as stages,
    sum(w.jobs)::bigint as jobs,
    $3::boolean or l.engine_id = 0 or l.release_id = $1::bigint or bool_or(l.hands_over) as wanted
  from sluice.lane l
  join (select lane_id, count(*) as jobs from working group by lane_id) w on w.lane_id = l.lane_id
  where l.engine_id <> $1::bigint
    and (l.engine_id <> 0 or l.stage in ('ingest', 'curate', 'load'))
    and case when $2::bigint is not null then l.engine_id = $2::bigint
      else l.engine_id = 0 or exists (
        select from sluice.release r where r.release_id = l.engine_id and r.state in ('DRAINING', 'REJECTED')) end
  group by l.release_id, l.pipeline, l.engine_id
), judged as materialized (
  select g.*,
    (select string_agg(distinct m.format, ', ' order by m.format) from working w join sluice.mark m on m.job_id = w.job_id and m.step = ''
     where w.lane_id = any (g.lanes) and w.was_claimed and m.format <> all (t.readable)) as unreadable,
    (select string_agg(f, ', ' order by f) from sluice.release e cross join unnest(e.writes) as f
     where e.release_id = g.engine_id and split_part(f, '.', 1) = any (g.stages) and f <> all (t.readable)) as unwritten
  from grouped g cross join target t
), moved as (
  update sluice.lane l set engine_id = $1::bigint, takes_new = false
  from judged j
  where l.release_id = j.release_id and l.pipeline = j.pipeline and l.engine_id = j.engine_id
    and (l.engine_id <> 0 or l.stage in ('ingest', 'curate', 'load'))
    and j.wanted and j.unreadable is null and j.unwritten is null
  returning l.lane_id
)
select j.release_id, j.pipeline, j.engine_id, j.jobs, j.wanted, coalesce(j.unreadable, j.unwritten) as unreadable,
  array_to_string(array(select lane_id from moved where lane_id = any (j.lanes)), ',') as lanes
from judged j order by j.pipeline, j.release_id, j.engine_id
