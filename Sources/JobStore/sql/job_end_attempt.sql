-- Ends one attempt that is not done: $1 job, $2 epoch, $3 status (retried, dead, yielded, snoozed, cancelled), $4 seconds
-- until it is tried again, $5 the failure as JSON. Does nothing when (job, epoch) no longer holds.
-- A yield and a snooze are not charged: the attempt goes back to what it was. Of a job that is to be cancelled every end is a
-- cancellation, and a cancellation that was withdrawn meanwhile is a yield. A death fails the run and tells the outbox. Returns how it ended.
-- Locks: the lease row, then the run row.
with ended as (
  delete from sluice.lease where job_id = $1::bigint and epoch = $2::bigint
  returning job_id, epoch, attempt, worker_id, lane_id, run_id, live_key, claimed_at,
    case when cancelled then 'cancelled' when $3::text = 'cancelled' then 'yielded' else $3::text end as status
), noted as (
  insert into sluice.outcome (job_id, attempt, epoch, status, worker_id, started_at, finished_at, detail)
  select job_id, attempt, epoch, status, worker_id, claimed_at, coalesce($6::timestamptz, clock_timestamp()), $5::jsonb
  from ended
), again as (
  insert into sluice.ready (lane_id, job_id, attempt, epoch, since)
  select lane_id, job_id, attempt - 1, epoch, coalesce($6::timestamptz, clock_timestamp()) from ended
  where status = 'yielded'
), put_off as (
  insert into sluice.later (job_id, run_at, lane_id, attempt, epoch)
  select job_id, coalesce($6::timestamptz, clock_timestamp()) + make_interval(secs => $4::double precision), lane_id,
    case when status = 'snoozed' then attempt - 1 else attempt end, epoch
  from ended where status in ('retried', 'snoozed')
), buried as (
  insert into sluice.dead (job_id, lane_id, attempt, epoch, cancelled, since)
  select job_id, lane_id, attempt, epoch, status = 'cancelled', coalesce($6::timestamptz, clock_timestamp()) from ended
  where status in ('dead', 'cancelled')
), freed as (
  delete from sluice.live_key k using ended e
  where e.status in ('dead', 'cancelled') and k.key = e.live_key and k.job_id = e.job_id
), failed as (
  update sluice.run r
  set state = 'failed', finished_at = coalesce($6::timestamptz, clock_timestamp()), error = $5::jsonb
  from ended e join sluice.job j on j.job_id = e.job_id
  where e.status = 'dead' and r.run_id = e.run_id and r.state <> 'cancelled'
  returning r.run_id, r.pipeline, j.job_id, j.kind, j.label
), told as (
  insert into sluice.outbox (kind, pipeline, run_id, body, created_at, next_at)
  select 'failed', pipeline, run_id,
    jsonb_build_object('event', 'failed', 'pipeline', pipeline, 'run', run_id, 'job', job_id, 'kind', kind,
      'step', label, 'error', $5::jsonb),
    coalesce($6::timestamptz, clock_timestamp()), coalesce($6::timestamptz, clock_timestamp())
  from failed
)
select status, lane_id from ended
