-- Inserts jobs under reserved numbers, and puts each where it begins: blocked when it waits for others, else ready.
-- $1 job ids, $2 run ids, $3 pipelines, $4 stages, $5 kinds, $6 labels, $7 payloads, $8 attempts, $9 how many it waits for, $11 the lanes' class, $12 their release (0: any).
-- Returns
-- each one's lane.
-- Locks: only the rows it inserts. Index: lane_new.
with asked as materialized (
  select a.*, l.lane_id
  from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::integer[],
    $9::integer[]) as a (job_id, run_id, pipeline, stage, kind, label, payload, max_attempts, waits)
  join sluice.lane l on l.pipeline = a.pipeline and l.stage = a.stage and l.release_id = $12::bigint and l.takes_new and l.class = $11::smallint
), written as (
  insert into sluice.job (job_id, run_id, lane_id, kind, label, payload, max_attempts, created_at)
  overriding system value
  select job_id, nullif(run_id, 0), lane_id, kind, label, payload::jsonb, max_attempts,
    coalesce($10::timestamptz, now())
  from asked
), waiting as (
  insert into sluice.blocked (job_id, pending, lane_id) select job_id, waits, lane_id from asked where waits > 0
), startable as (
  insert into sluice.ready (lane_id, job_id, attempt, epoch, since)
  select lane_id, job_id, 0, 0, coalesce($10::timestamptz, now()) from asked where waits = 0 order by job_id
)
select lane_id, waits from asked
