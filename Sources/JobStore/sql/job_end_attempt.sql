-- Ends one attempt that is not done: $1 job, $2 epoch, $3 status (retried, dead, yielded, snoozed), $4 seconds until
-- it is tried again, $5 the failure as JSON. Does nothing when (job, epoch) no longer holds.
-- A yield and a snooze are not charged: the attempt goes back to what it was. A death fails the run and tells the outbox.
-- Locks: the lease row, then the run row.
with ended as (
  delete from sluice.lease where job_id = $1::bigint and epoch = $2::bigint
  returning job_id, epoch, attempt, worker_id, lane_id, claimed_at
), noted as (
  insert into sluice.outcome (job_id, attempt, epoch, status, worker_id, started_at, finished_at, detail)
  select job_id, attempt, epoch, $3::text, worker_id, claimed_at, coalesce($6::timestamptz, clock_timestamp()), $5::jsonb
  from ended
), again as (
  insert into sluice.ready (lane_id, job_id, attempt, epoch, since)
  select lane_id, job_id, attempt - 1, epoch, coalesce($6::timestamptz, clock_timestamp()) from ended
  where $3::text = 'yielded'
), put_off as (
  insert into sluice.later (job_id, run_at, lane_id, attempt, epoch)
  select job_id, coalesce($6::timestamptz, clock_timestamp()) + make_interval(secs => $4::double precision), lane_id,
    case when $3::text = 'snoozed' then attempt - 1 else attempt end, epoch
  from ended where $3::text in ('retried', 'snoozed')
), buried as (
  insert into sluice.dead (job_id, lane_id, attempt, epoch, since)
  select job_id, lane_id, attempt, epoch, coalesce($6::timestamptz, clock_timestamp()) from ended
  where $3::text = 'dead'
), freed as (
  delete from sluice.live_key k using ended e, sluice.job j
  where $3::text = 'dead' and j.job_id = e.job_id and j.live_key is not null and k.key = j.live_key
), failed as (
  update sluice.run r
  set state = 'failed', finished_at = coalesce($6::timestamptz, clock_timestamp()), error = $5::jsonb
  from ended e join sluice.job j on j.job_id = e.job_id
  where $3::text = 'dead' and r.run_id = j.run_id
  returning r.run_id, r.pipeline, j.job_id, j.kind, j.label
), told as (
  insert into sluice.outbox (kind, pipeline, run_id, body, created_at, next_at)
  select 'failed', pipeline, run_id,
    jsonb_build_object('event', 'failed', 'pipeline', pipeline, 'run', run_id, 'job', job_id, 'kind', kind,
      'step', label, 'error', $5::jsonb),
    coalesce($6::timestamptz, clock_timestamp()), coalesce($6::timestamptz, clock_timestamp())
  from failed
)
select job_id from ended
