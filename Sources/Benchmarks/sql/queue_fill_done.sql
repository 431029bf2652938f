-- Puts $3 jobs of the pipeline $1 and the stage $2 into the history, as if they had been done just now.
-- The lane is there already.
with lane as materialized (
  select lane_id from sluice.lane where pipeline = $1::text and stage = $2::text
), written as (
  insert into sluice.job (lane_id, kind, label, payload, max_attempts, created_at)
  select lane_id, 'bench', 'bench', '{}', 8, now() from lane, generate_series(1, $3::integer)
  returning job_id
)
insert into sluice.outcome (job_id, attempt, epoch, status, started_at, finished_at)
select job_id, 1, 1, 'done', now(), now() from written
