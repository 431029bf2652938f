-- Ends one attempt that is not done: $1 job, $2 epoch, $3 status (retried, dead, yielded, snoozed, interrupted, cancelled, lost, broken, memory),
-- $4 seconds until it is tried again, $5 the failure as JSON, $8 how long the attempt waited, by cause (null: not): kept in its history. Does nothing when (job, epoch) no longer holds.
-- A yield and a snooze are not charged: the attempt goes back to what it was. Of a job that is to be cancelled every end is a
-- cancellation, and a cancellation that was withdrawn meanwhile is a yield. A death fails the run and tells the outbox. Returns how it ended.
-- lost: its database session ended without a word, and either the attempt wrote no checkpoint but the one that it began with, or
-- the server told other sessions that one of its processes had crashed. Once that is taken for an outage and a snooze; a second
-- time in a row the attempt is the likely cause, and is charged. A yield, a snooze and a charged end of the handler's own end the row.
-- broken: its database session ended alone, although no process of the server crashed, and the attempt did not move the job on. That is not
-- charged, and each time the job waits twice as long, at most ten minutes or $4. At the $7th time in a row the job is dead: it would come
-- back without end. The ends that end a row of lost sessions end this one.
-- interrupted: by an outage, from outside, or by a handler that did not move the job on. A yield, with $4 above zero a snooze, that
-- says nothing of the job and ends no row.
-- memory: the attempt ran out of memory. It is charged, and the job runs alone from then on; how often it was is counted until a person
-- takes the job up again, so a charged end for another reason keeps the row.
-- Locks: the lease row, then the run row.
with ended as (
  delete from sluice.lease where job_id = $1::bigint and epoch = $2::bigint
  returning job_id, epoch, attempt, worker_id, lane_id, run_id, live_key, claimed_at,
    case when cancelled then 'cancelled' when $3::text = 'cancelled' then 'yielded'
      when $3::text = 'interrupted' then case when $4::double precision > 0 then 'snoozed' else 'yielded' end
      when $3::text = 'broken' then case when coalesce((select s.losses from sluice.suspect s where s.job_id = $1::bigint), 0) + 1
        < $7::integer then 'snoozed' else 'dead' end
      when $3::text = 'memory' then 'retried'
      when $3::text <> 'lost' then $3::text
      when not exists (select from sluice.suspect s where s.job_id = $1::bigint and s.lost_session) then 'snoozed'
      when attempt < (select j.max_attempts from sluice.job j where j.job_id = $1::bigint) then 'retried'
      else 'dead' end as status
), suspected as (
  insert into sluice.suspect (job_id, lost_session, since)
  select job_id, true, coalesce($6::timestamptz, clock_timestamp()) from ended where $3::text = 'lost' and status = 'snoozed'
  on conflict (job_id) do update set lost_session = true
), counted as (
  insert into sluice.suspect (job_id, losses, since)
  select job_id, 1, coalesce($6::timestamptz, clock_timestamp()) from ended where $3::text = 'broken' and status = 'snoozed'
  on conflict (job_id) do update set losses = suspect.losses + 1
  returning losses
), out_of_memory as (
  insert into sluice.suspect (job_id, runs_alone, memory_kills, since)
  select job_id, true, 1, coalesce($6::timestamptz, clock_timestamp()) from ended where $3::text = 'memory' and status = 'retried'
  on conflict (job_id) do update
  set runs_alone = true, memory_kills = suspect.memory_kills + 1, lost_session = false, losses = 0
), cleared as (
  delete from sluice.suspect
  where job_id = any (array(select job_id from ended where status = $3::text and status in ('retried', 'yielded', 'snoozed')))
    and case when $3::text = 'retried' then memory_kills = 0 else not runs_alone end
), in_order as (
  update sluice.suspect set lost_session = false, losses = 0
  where job_id = any (array(select job_id from ended where status = $3::text and status in ('retried', 'yielded', 'snoozed')
      or $3::text = 'broken' and status = 'dead'))
    and case $3::text when 'broken' then true when 'retried' then memory_kills > 0 else runs_alone end
    and (lost_session or losses > 0)
), noted as (
  insert into sluice.outcome (job_id, attempt, epoch, status, worker_id, started_at, finished_at, detail)
  select job_id, attempt, epoch, status, worker_id, claimed_at, coalesce($6::timestamptz, clock_timestamp()),
    case when $8::jsonb is null then $5::jsonb else coalesce($5::jsonb, '{}') || jsonb_build_object('waited', $8::jsonb) end
  from ended
), again as (
  insert into sluice.ready (lane_id, job_id, attempt, epoch, since)
  select lane_id, job_id, attempt - 1, epoch, coalesce($6::timestamptz, clock_timestamp()) from ended
  where status = 'yielded'
), put_off as (
  insert into sluice.later (job_id, run_at, lane_id, attempt, epoch, put_off_at)
  select job_id, coalesce($6::timestamptz, clock_timestamp())
      + make_interval(secs => case when $3::text = 'broken'
        then least($4::double precision * power(2, (select losses - 1 from counted)), greatest($4::double precision, 600))
        else $4::double precision end), lane_id,
    case when status = 'snoozed' then attempt - 1 else attempt end, epoch, coalesce($6::timestamptz, clock_timestamp())
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
