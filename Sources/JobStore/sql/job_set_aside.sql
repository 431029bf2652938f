-- Ends the ready job $1 as dead, without an attempt, because no claim of it succeeds: $2 why, as JSON. Fails its run and tells the
-- outbox, as every death does. Runs after ready_lock in its transaction.
-- Locks: the ready row, then the run row. Index: primary keys.
with job as materialized (
  select j.job_id, j.lane_id, j.run_id, j.live_key, j.kind, j.label from sluice.job j where j.job_id = $1::bigint
), ended as (
  delete from sluice.ready r using job j where r.lane_id = j.lane_id and r.job_id = j.job_id
  returning r.job_id, r.lane_id, r.attempt, r.epoch
), buried as (
  insert into sluice.dead (job_id, lane_id, attempt, epoch, cancelled, since)
  select job_id, lane_id, attempt, epoch, false, coalesce($3::timestamptz, now()) from ended
), noted as (
  insert into sluice.outcome (job_id, attempt, epoch, status, started_at, finished_at, detail)
  select job_id, attempt, epoch, 'dead', coalesce($3::timestamptz, now()), coalesce($3::timestamptz, now()), $2::jsonb from ended
), freed as (
  delete from sluice.live_key k using job j, ended e where e.job_id = j.job_id and k.key = j.live_key and k.job_id = j.job_id
), failed as (
  update sluice.run r set state = 'failed', finished_at = coalesce($3::timestamptz, now()), error = $2::jsonb
  from ended e join job j on j.job_id = e.job_id
  where r.run_id = j.run_id and r.state <> 'cancelled'
  returning r.run_id, r.pipeline, j.job_id, j.kind, j.label
), told as (
  insert into sluice.outbox (kind, pipeline, run_id, body, created_at, next_at)
  select 'failed', pipeline, run_id,
    jsonb_build_object('event', 'failed', 'pipeline', pipeline, 'run', run_id, 'job', job_id, 'kind', kind, 'step', label,
      'error', $2::jsonb),
    coalesce($3::timestamptz, now()), coalesce($3::timestamptz, now())
  from failed
)
select job_id from ended
