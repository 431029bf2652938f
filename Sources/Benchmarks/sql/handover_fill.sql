-- Puts $1 jobs into a lane of the current release; if $2 is true with checkpoints, as if they were under way.
with lane as materialized (
  select l.lane_id from sluice.lane l join sluice.release r on r.release_id = l.release_id
  where r.state = 'CURRENT' and l.stage = 'ingest' and l.takes_new limit 1
), written as (
  insert into sluice.job (lane_id, kind, label, payload, max_attempts, created_at)
  select lane_id, 'ingest', 'bench', '{}', 8, now() from lane, generate_series(1, $1::integer)
  returning job_id, lane_id
), marked as (
  insert into sluice.mark (job_id, step, epoch, format, state, at)
  select job_id, '', 1, 'ingest.files/1', '{}', now() from written where $2::boolean
), filled as (
  insert into sluice.ready (lane_id, job_id, attempt, epoch, since)
  select lane_id, job_id, 0, case when $2::boolean then 1 else 0 end, now() from written order by job_id
  returning job_id
)
select count(*) as jobs from filled
