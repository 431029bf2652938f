-- The lanes with ready work that a worker of release $1 (0: of no release) serving the stages $2 (null: any)
-- may claim from, and the
-- lowest job of each. One probe of an index a lane, so that 300 lanes cost about a millisecond.
-- Locks: none. Index: primary key of ready; lane is small.
select l.lane_id, l.pipeline, l.stage, l.class, l.weight, l.limited, h.job_id as lowest
from sluice.lane l
cross join lateral (select r.job_id from sluice.ready r where r.lane_id = l.lane_id order by r.job_id limit 1) h
where not l.paused and l.engine_id = $1::bigint and ($2::text[] is null or l.stage = any ($2::text[]))
