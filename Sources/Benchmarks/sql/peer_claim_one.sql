-- The floor of a claim: one row of ready becomes one of lease.
with picked as materialized (
  select job_id, attempt, epoch from peer.ready where lane_id = 1 order by job_id limit 1 for update skip locked
), taken as (
  delete from peer.ready r using picked p where r.lane_id = 1 and r.job_id = p.job_id
)
insert into peer.lease (job_id, epoch, attempt, worker_id, lane_id, claimed_at)
select job_id, epoch + 1, attempt + 1, 1, 1, now() from picked
returning job_id
