-- A script of pgbench, one transaction of it is two of the server: claim 100, complete 100.
-- The ids stand twice in the second statement so that the lease is found by its index: its table is empty whenever it is
-- analysed, and the join alone becomes a sequential scan.
with picked as materialized (
  select job_id, attempt, epoch from peer.ready where lane_id = 1 order by job_id limit 100 for update skip locked
), taken as (
  delete from peer.ready r using picked p where r.lane_id = 1 and r.job_id = p.job_id
), held as (
  insert into peer.lease (job_id, epoch, attempt, worker_id, lane_id, claimed_at)
  select job_id, epoch + 1, attempt + 1, :client_id, 1, now() from picked
  returning job_id, epoch
)
select array_agg(job_id) as ids, array_agg(epoch) as epochs from held \gset
with ended as (
  delete from peer.lease l using unnest(:ids::bigint[], :epochs::bigint[]) as a (job_id, epoch)
  where l.job_id = any(:ids::bigint[]) and l.job_id = a.job_id and l.epoch = a.epoch
  returning l.job_id, l.attempt, l.epoch, l.worker_id, l.claimed_at
)
insert into peer.outcome (job_id, attempt, epoch, status, worker_id, started_at, finished_at)
select job_id, attempt, epoch, 1, worker_id, claimed_at, clock_timestamp() from ended;
