-- Claims up to $3 ready jobs for worker $1 of release $2 (0: of no release), most urgent lane and oldest first.
-- Gives nothing to a worker without a live beat or in drain.
-- Locks: the ready rows it takes (others' are skipped), then its lease rows; run rows in order of their number.
-- Index: primary key of ready; lane is small.
with alive as materialized (
  select from sluice.beat
  where worker_id = $1::bigint and not draining and expires_at > coalesce($4::timestamptz, now())
), picked as materialized (
  select r.lane_id, r.ready_id, r.job_id, r.attempt, r.epoch
  from sluice.ready r
  join sluice.lane l on l.lane_id = r.lane_id
  where not l.paused and l.release_id in (0, $2::bigint) and exists (select from alive)
  order by l.class, r.ready_id
  limit $3::integer
  for update of r skip locked
), taken as (
  delete from sluice.ready r using picked p where r.lane_id = p.lane_id and r.ready_id = p.ready_id
), held as (
  insert into sluice.lease (job_id, epoch, ticket, worker_id, lane_id, attempt, claimed_at, deadline_at)
  select p.job_id, p.epoch + 1, nextval('sluice.ticket'), $1::bigint, p.lane_id, p.attempt + 1,
    coalesce($4::timestamptz, now()), coalesce($4::timestamptz, now()) + j.time_limit
  from picked p join sluice.job j on j.job_id = p.job_id
  order by p.ready_id
  returning job_id, epoch, ticket, attempt
), beginning as materialized (
  select r.run_id from sluice.run r
  where r.state = 'queued' and r.run_id in (select j.run_id from held h join sluice.job j on j.job_id = h.job_id)
  order by r.run_id
  for update
), begun as (
  update sluice.run r set state = 'running', started_at = coalesce(r.started_at, $4::timestamptz, now())
  from beginning b where r.run_id = b.run_id
)
select h.job_id, h.epoch, h.ticket, h.attempt, j.max_attempts, j.kind, j.label, j.payload, j.run_id,
  l.pipeline, l.stage, r.release_id, r.run_at, m.format as mark_format, m.state as mark_state
from held h
join sluice.job j on j.job_id = h.job_id
join sluice.lane l on l.lane_id = j.lane_id
left join sluice.run r on r.run_id = j.run_id
left join sluice.mark m on m.job_id = h.job_id and m.step = ''
