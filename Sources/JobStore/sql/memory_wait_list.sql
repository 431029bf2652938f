-- Jobs that room is kept for in the memory of a host, as its workers said within the last 30 seconds: since when, in seconds. The longest first.
-- Locks: none. Index: primary keys of job, lane and ready. Hosts are few.
select h.host, h.waiting_job as job_id, l.pipeline, l.stage, j.label,
  greatest(0, extract(epoch from now() - h.waiting_since))::double precision as seconds
from sluice.memory_host h
cross join lateral (select j.lane_id, j.label from sluice.job j where j.job_id = h.waiting_job offset 0) j
cross join lateral (select l.lane_id, l.pipeline, l.stage from sluice.lane l where l.lane_id = j.lane_id and not l.paused offset 0) l
where h.waiting_at > now() - interval '30 s'
  and exists (select from sluice.ready r where r.lane_id = l.lane_id and r.job_id = h.waiting_job offset 0)
order by h.waiting_since, h.host
