-- A batch of pipeline $1 that has not ended, or that has a job of kind $2 and label $3, or a part of one, at work; no row: there is none.
-- Index: run_recent; primary keys of lease, lane and job.
select r.run_id from sluice.run r where r.pipeline = $1 and r.kind = 'batch' and r.state in ('queued', 'running')
union all
select j.run_id
from sluice.lease l join sluice.lane n on n.lane_id = l.lane_id join sluice.job j on j.job_id = l.job_id
where n.pipeline = $1 and j.kind = $2 and (j.label = $3::text or starts_with(j.label, $3::text || ' '))
limit 1
