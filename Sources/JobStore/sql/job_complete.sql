-- Ends leases of jobs of a run as done: $1 job ids, $2 epochs, $3 detail. A pair that no longer matches is left out: the lease is lost.
-- A run that succeeds after one that failed tells the outbox.
-- The delete of the lease is the one decision; all else follows from its rows.
-- Locks: lease rows, then blocked rows, both in order of their number, then run rows. Index: primary keys, edge (upstream_id).
with asked as materialized (
  select l.job_id, l.epoch
  from sluice.lease l join unnest($1::bigint[], $2::bigint[]) as a (job_id, epoch)
    on l.job_id = a.job_id and l.epoch = a.epoch
  order by l.job_id
  for update of l
), ended as (
  delete from sluice.lease l using asked a where l.job_id = a.job_id and l.epoch = a.epoch
  returning l.job_id, l.epoch, l.attempt, l.worker_id, l.run_id, l.live_key, l.claimed_at
), noted as (
  insert into sluice.outcome (job_id, attempt, epoch, status, worker_id, started_at, finished_at, detail)
  select job_id, attempt, epoch, 'done', worker_id, claimed_at, coalesce($4::timestamptz, clock_timestamp()), $3::jsonb
  from ended
), freed as (
  delete from sluice.live_key k using ended e where k.key = e.live_key and k.job_id = e.job_id
), waiting as materialized (
  select b.job_id, w.done
  from sluice.blocked b
  join (select d.dependent_id, count(*)::integer as done from sluice.edge d join ended e on e.job_id = d.upstream_id
        group by d.dependent_id) w on w.dependent_id = b.job_id
  order by b.job_id
  for update of b
), lowered as (
  update sluice.blocked b set pending = b.pending - w.done from waiting w where b.job_id = w.job_id
), advanced as (
  update sluice.run r
  set pending = r.pending - d.jobs,
    state = case when r.pending = d.jobs and r.state in ('queued', 'running') then 'succeeded' else r.state end,
    finished_at = case when r.pending = d.jobs then coalesce($4::timestamptz, clock_timestamp()) else r.finished_at end
  from (select run_id, count(*)::integer as jobs from ended where run_id is not null group by run_id) d
  where r.run_id = d.run_id
  returning r.run_id, r.pipeline, r.kind, r.target, r.state
), recovered as (
  insert into sluice.outbox (kind, pipeline, run_id, body, created_at, next_at)
  select 'recovered', a.pipeline, a.run_id,
    jsonb_build_object('event', 'recovered', 'pipeline', a.pipeline, 'run', a.run_id, 'kind', a.kind),
    coalesce($4::timestamptz, clock_timestamp()), coalesce($4::timestamptz, clock_timestamp())
  from advanced a
  where a.state = 'succeeded' and 'failed' = (
    select p.state from sluice.run p
    where p.pipeline = a.pipeline and p.kind = a.kind and p.target is not distinct from a.target and p.run_id < a.run_id
    order by p.run_id desc limit 1)
)
select job_id from ended
