-- How many jobs of each pipeline and stage stand where.
select l.pipeline, l.stage, s.state, count(*) as jobs, extract(epoch from now() - min(s.created_at))::double precision as oldest_seconds
from sluice.job_state s join sluice.lane l on l.lane_id = s.lane_id
where s.state <> 'DONE'
group by l.pipeline, l.stage, s.state order by 1, 2, 3
