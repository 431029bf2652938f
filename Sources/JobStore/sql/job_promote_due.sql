-- Moves jobs whose time has come from later to ready, at most $1 at once, and returns each one's lane.
-- Locks: the later rows it takes; others' are skipped. Index: later_due.
with next as materialized (
  select job_id from sluice.later where run_at <= coalesce($2::timestamptz, now())
  order by run_at limit $1::integer for update skip locked
), due as (
  delete from sluice.later where job_id = any (array(select job_id from next))
  returning job_id, lane_id, attempt, epoch
), startable as (
  insert into sluice.ready (lane_id, job_id, attempt, epoch, since)
  select lane_id, job_id, attempt, epoch, coalesce($2::timestamptz, now()) from due
)
select lane_id, count(*) as jobs from due group by lane_id
