-- Cancels what is not done of run $1 and its loads, or the job $2 that has no run. What is not running ends at once; what
-- runs is asked to, and ends when its worker gives it up. Runs after claim_lock_exclusive, and again until it returns
-- nothing three times: a job that moved meanwhile is seen the next time.
-- Locks: lease rows in order of their number, then those of ready, later and blocked that it changes, then run rows: the order in
-- which a job's end takes them.
with concerned as materialized (
  select r.run_id from sluice.run r
  where (r.run_id = $1::bigint or r.parent_id = $1::bigint) and r.state <> 'succeeded'
), named as materialized (
  select j.job_id, j.lane_id, j.live_key from sluice.job j
  where j.run_id in (select run_id from concerned) or (j.job_id = $2::bigint and j.run_id is null)
), unready as (
  delete from sluice.ready r using named n where r.lane_id = n.lane_id and r.job_id = n.job_id
  returning r.job_id, r.lane_id, r.attempt, r.epoch
), undue as (
  delete from sluice.later t using named n where t.job_id = n.job_id returning t.job_id, t.lane_id, t.attempt, t.epoch
), unblocked as (
  delete from sluice.blocked b using named n where b.job_id = n.job_id returning b.job_id, b.lane_id
), ended as materialized (
  select * from unready union all select * from undue union all select job_id, lane_id, 0, 0 from unblocked
), buried as (
  insert into sluice.dead (job_id, lane_id, attempt, epoch, cancelled, since)
  select job_id, lane_id, attempt, epoch, true, coalesce($3::timestamptz, clock_timestamp()) from ended
), noted as (
  insert into sluice.outcome (job_id, attempt, epoch, status, started_at, finished_at)
  select job_id, attempt, epoch, 'cancelled', coalesce($3::timestamptz, clock_timestamp()),
    coalesce($3::timestamptz, clock_timestamp())
  from ended
), freed as (
  delete from sluice.live_key k using named n join ended e on e.job_id = n.job_id
  where k.key = n.live_key and k.job_id = n.job_id
), held as materialized (
  select l.job_id from sluice.lease l join named n on n.job_id = l.job_id where not l.cancelled
  order by l.job_id
  for no key update of l
), asked as (
  update sluice.lease l set cancelled = true from held h where l.job_id = h.job_id returning l.job_id
), closed as (
  update sluice.run r set state = 'cancelled', finished_at = coalesce($3::timestamptz, clock_timestamp())
  from concerned c where r.run_id = c.run_id and r.state not in ('cancelled', 'succeeded')
)
-- Leases first: the statement does its parts in the order in which they are read here.
select job_id, true as is_running from asked union all select job_id, false from ended
