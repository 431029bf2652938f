-- Takes back leases whose worker has no beat or whose time limit has passed, at most $1: ready again, or dead at the
-- job's limit of attempts (the crash is charged: a poison job ends), or cancelled where that was asked for. A death fails the
-- run and tells the outbox.
-- The end of a worker is charged to a job that it had alone. One that shared the worker with others may be innocent: it is not
-- charged, and must run alone from then on, until an attempt of it is charged or done. A lease of an earlier engine, whose claims
-- do not say which it is, is charged: such an engine lets no job run alone, and a job that kills it would come back for ever.
-- Locks: the lease rows it takes; others' are skipped. Then run rows.
with lost as materialized (
  select l.job_id, l.epoch, l.attempt, l.worker_id, l.lane_id, l.run_id, l.live_key, l.cancelled, l.claimed_at,
    b.worker_id is null as is_crash,
    b.worker_id is null and l.alone is not null
      and not (l.alone and (select count(*) from sluice.lease o where o.worker_id = l.worker_id) = 1) as is_shared
  from sluice.lease l left join sluice.beat b on b.worker_id = l.worker_id
  where (l.deadline_at < coalesce($2::timestamptz, now())
    or b.worker_id is null)
  order by l.job_id
  limit $1::integer
  for update of l skip locked
), ended as (
  delete from sluice.lease where job_id = any (array(select job_id from lost))
), judged as materialized (
  select lost.*, j.kind, j.label, lost.attempt >= j.max_attempts and not lost.cancelled and not lost.is_shared as is_dead,
    jsonb_build_object('code', case when lost.is_crash then 'worker_lost' else 'time_limit' end, 'charged', not lost.is_shared,
      'message', case when not lost.is_crash then 'the attempt ran longer than the job''s time limit'
        else 'worker ' || lost.worker_id || ' stopped without giving its job back' end
        || case when lost.is_shared and not lost.cancelled then '; it had other jobs, so this one runs alone next' else '' end) as detail
  from lost
  cross join lateral (
    select j.kind, j.label, j.max_attempts from sluice.job j where j.job_id = lost.job_id offset 0) j
), noted as (
  insert into sluice.outcome (job_id, attempt, epoch, status, worker_id, started_at, finished_at, detail)
  select job_id, attempt, epoch, case when is_dead then 'dead' when cancelled then 'cancelled' else 'crashed' end, worker_id, claimed_at,
    coalesce($2::timestamptz, now()), detail
  from judged
), again as (
  insert into sluice.ready (lane_id, job_id, attempt, epoch, since)
  select lane_id, job_id, attempt - is_shared::integer, epoch, coalesce($2::timestamptz, now()) from judged
  where not is_dead and not cancelled
  order by job_id
), suspected as (
  insert into sluice.suspect (job_id, runs_alone, since)
  select job_id, true, coalesce($2::timestamptz, now()) from judged where is_crash and not is_dead and not cancelled
  on conflict (job_id) do update set runs_alone = true
), cleared as (
  delete from sluice.suspect where job_id = any (array(select job_id from judged where not is_crash and not is_dead and not cancelled))
    and memory_kills = 0
), buried as (
  insert into sluice.dead (job_id, lane_id, attempt, epoch, cancelled, since)
  select job_id, lane_id, attempt, epoch, cancelled, coalesce($2::timestamptz, now()) from judged where is_dead or cancelled
), freed as (
  delete from sluice.live_key
  where key = any (array(select live_key from judged where (is_dead or cancelled) and live_key is not null))
    and job_id = any (array(select job_id from judged where (is_dead or cancelled) and live_key is not null))
), failed as (
  update sluice.run r set state = 'failed', finished_at = coalesce($2::timestamptz, now()), error = d.detail
  from (select distinct on (run_id) run_id, job_id, kind, label, detail from judged where is_dead order by run_id, job_id) d
  where r.run_id = any (array(select run_id from judged where is_dead and run_id is not null))
    and r.run_id = d.run_id and r.state <> 'cancelled'
  returning r.run_id, r.pipeline, d.job_id, d.kind, d.label, d.detail
), told as (
  insert into sluice.outbox (kind, pipeline, run_id, body, created_at, next_at)
  select 'failed', pipeline, run_id,
    jsonb_build_object('event', 'failed', 'pipeline', pipeline, 'run', run_id, 'job', job_id, 'kind', kind,
      'step', label, 'error', detail),
    coalesce($2::timestamptz, now()), coalesce($2::timestamptz, now())
  from failed
)
select job_id, lane_id, is_dead from judged
