-- The attempts that run: by what worker, for how long, how far they are (0 to 1), what they wait for, their most memory in bytes, and how long
-- ago they wrote a checkpoint. What is not known is null.
-- Locks: none. Reads the leases, which are as many as slots. Index: primary keys of job, lane, progress and mark.
select e.job_id, e.epoch, e.worker_id, l.lane_id, l.engine_id, l.pipeline, l.stage, l.class,
  (select j.kind from sluice.job j where j.job_id = e.job_id) as kind,
  greatest(0, extract(epoch from now() - e.claimed_at))::double precision as seconds,
  p.state ->> 'waiting' as waiting,
  (p.state ->> 'peak_memory')::double precision as memory,
  case
    when (p.state ->> 'total_bytes')::double precision > 0
      then least(1, (p.state ->> 'bytes')::double precision / (p.state ->> 'total_bytes')::double precision)
    when (p.state ->> 'total_units')::double precision > 0
      then least(1, (p.state ->> 'units')::double precision / (p.state ->> 'total_units')::double precision) end as progress,
  (select case when max(m.at) is not null then greatest(0, extract(epoch from now() - max(m.at))) end::double precision
   from sluice.mark m where m.job_id = e.job_id and m.epoch = e.epoch) as checkpoint_seconds
from sluice.lease e
join sluice.lane l on l.lane_id = e.lane_id
left join sluice.progress p on p.job_id = e.job_id and p.epoch = e.epoch
order by e.job_id
