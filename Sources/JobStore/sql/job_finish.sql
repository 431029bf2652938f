-- Ends leases of jobs without a run as done: $1 job ids, $2 epochs, $3 details. Returns the pairs that no longer match: their
-- leases are lost. The cheap half of job_complete: no run to advance, and no dependents, which only jobs of a run have.
-- Locks: lease rows, then live keys. Index: primary keys.
with asked as materialized (
  select job_id, epoch, detail from unnest($1::bigint[], $2::bigint[], $3::text[]) as a (job_id, epoch, detail)
), ended as (
  delete from sluice.lease l using asked a where l.job_id = a.job_id and l.epoch = a.epoch and l.run_id is null
  returning l.job_id, l.epoch, l.attempt, l.worker_id, l.claimed_at, l.live_key, a.detail
), noted as (
  insert into sluice.outcome (job_id, attempt, epoch, status, worker_id, started_at, finished_at, detail)
  select job_id, attempt, epoch, 'done', worker_id, claimed_at, coalesce($4::timestamptz, clock_timestamp()), detail::jsonb
  from ended
), freed as (
  delete from sluice.live_key k using ended e where e.live_key is not null and k.key = e.live_key and k.job_id = e.job_id
)
select a.job_id from asked a where not exists (select from ended e where e.job_id = a.job_id)
