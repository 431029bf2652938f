-- Ends leases of jobs without a run as done: $1 job ids in their order, $2 epochs, $3 details (null: all are). Returns the
-- jobs whose pairs no longer match: their leases are lost. The cheap half of job_complete: no run to advance, and no
-- dependents, which only jobs of a run have. Of a job that is named twice the last pair counts.
-- Locks: lease rows, then live keys. Index: primary keys, whatever the planner believes of their sizes (see queueSession).
with ended as (
  delete from sluice.lease l
  where l.job_id = any ($1::bigint[]) and l.epoch = ($2::bigint[])[width_bucket(l.job_id, $1::bigint[])]
    and l.run_id is null
  returning l.job_id, l.epoch, l.attempt, l.worker_id, l.claimed_at, l.live_key,
    ($3::text[])[width_bucket(l.job_id, $1::bigint[])] as detail
), noted as (
  insert into sluice.outcome (job_id, attempt, epoch, status, worker_id, started_at, finished_at, detail)
  select job_id, attempt, epoch, 'done', worker_id, claimed_at, coalesce($4::timestamptz, clock_timestamp()), detail::jsonb
  from ended
), freed as (
  delete from sluice.live_key
  where key = any (array(select live_key from ended where live_key is not null))
    and job_id = any (array(select job_id from ended where live_key is not null))
)
select a.job_id from unnest($1::bigint[]) as a (job_id)
where (select count(*) from ended) < cardinality($1::bigint[])  -- seldom, so the next line costs nothing
  and a.job_id <> all (array(select job_id from ended))
