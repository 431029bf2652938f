-- The lanes with ready work that a worker of release $1 (0: of no release) serving the stages $2 (null: any) may claim from, with the
-- lowest job of each, and the lowest of those that must run alone, which the first number leaves out; with the earliest deadline of the open
-- runs of its pipeline (null: none has one) and how long the lowest job has been ready, in seconds.
-- One probe of an index for each lane, so that 300 lanes cost about a millisecond. Suspects are few or none: each is looked up once,
-- for all lanes together. Whether there is any is asked once; only then a ready row asks for its own, by its key. The deadlines are
-- gathered once: a probe for each lane could be planned as a walk over all open runs.
-- Locks: none. Index: primary keys of ready, suspect, job; run_deadline; lane is small.
with alone as materialized (
  select r.lane_id, min(r.job_id) as job_id
  from sluice.suspect s
  cross join lateral (select j.lane_id from sluice.job j where j.job_id = s.job_id offset 0) j
  cross join lateral (
    select r.lane_id, r.job_id from sluice.ready r where r.lane_id = j.lane_id and r.job_id = s.job_id offset 0) r
  where s.runs_alone
  group by r.lane_id
), due as materialized (
  select jsonb_object_agg(d.pipeline, extract(epoch from d.at)) as by_pipeline
  from (
    select r.pipeline, min(r.deadline_at) as at from sluice.run r
    where r.deadline_at is not null and r.state in ('queued', 'running') group by r.pipeline) d
)
select l.lane_id, l.pipeline, l.stage, l.class, l.weight, l.limited, h.job_id as lowest, a.job_id as suspect,
  (select (d.by_pipeline ->> l.pipeline)::double precision from due d) as deadline,
  extract(epoch from now() - h.since)::double precision as waited
from sluice.lane l
left join lateral (
  select r.job_id, r.since from sluice.ready r
  where r.lane_id = l.lane_id and ((select not exists (select from sluice.suspect))
    or not exists (select from sluice.suspect s where s.job_id = r.job_id and s.runs_alone offset 0))
  order by r.job_id limit 1) h on true
left join alone a on a.lane_id = l.lane_id
where (h.job_id is not null or a.job_id is not null) and not l.paused and l.engine_id = $1::bigint and ($2::text[] is null or l.stage = any ($2::text[]))
