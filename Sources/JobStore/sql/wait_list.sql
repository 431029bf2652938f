-- What running attempts wait for now, and how many of each pipeline and stage do.
-- Index: primary keys of progress and lane; reads the leases, which are few.
select l.pipeline, l.stage, p.state->>'waiting' as cause, count(*) as attempts
from sluice.lease e
join sluice.progress p on p.job_id = e.job_id and p.epoch = e.epoch
join sluice.lane l on l.lane_id = e.lane_id
where p.state->>'waiting' is not null
group by l.pipeline, l.stage, p.state->>'waiting'
order by l.pipeline, l.stage, cause
