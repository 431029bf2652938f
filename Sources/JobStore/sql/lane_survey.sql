-- The lanes with ready work that a worker of release $1 (0: of no release) serving the stages $2 (null: any)
-- may claim from, and the
-- lowest job of each, and the lowest of those that must run alone, which the other number leaves out. Two probes of an index a lane, so that 300 lanes cost about a millisecond.
-- Locks: none. Index: primary key of ready; lane is small.
select l.lane_id, l.pipeline, l.stage, l.class, l.weight, l.limited, h.job_id as lowest, s.job_id as suspect
from sluice.lane l
left join lateral (
  select r.job_id from sluice.ready r
  where r.lane_id = l.lane_id and r.job_id <> all (array(select s.job_id from sluice.suspect s where s.runs_alone))
  order by r.job_id limit 1) h on true
left join lateral (
  select r.job_id from sluice.ready r
  where r.lane_id = l.lane_id and r.job_id = any (array(select s.job_id from sluice.suspect s where s.runs_alone))
  order by r.job_id limit 1) s on true
where (h.job_id is not null or s.job_id is not null) and not l.paused and l.engine_id = $1::bigint and ($2::text[] is null or l.stage = any ($2::text[]))
