-- Makes $1 lanes and puts $2 ready jobs into them, in turns.
with lanes as (
  insert into sluice.lane (pipeline, stage, class)
  select 'p' || n / 3, (array['ingest', 'curate', 'load'])[1 + n % 3], 0 from generate_series(1, $1::integer) as n
  returning lane_id
), numbered as materialized (
  select lane_id, row_number() over (order by lane_id) - 1 as number from lanes
), written as (
  insert into sluice.job (lane_id, kind, label, payload, max_attempts, created_at)
  select l.lane_id, 'bench', 'bench', '{}', 8, now()
  from generate_series(1, $2::integer) as n join numbered l on l.number = n % $1::integer order by n
  returning job_id, lane_id
)
insert into sluice.ready (lane_id, job_id, attempt, epoch, since)
select lane_id, job_id, 0, 0, now() from written order by job_id
