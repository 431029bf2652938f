-- What needs release $1 still, and the run or the worker that it is: jobs by pipeline, stage and run; dead jobs of
-- runs that can be taken up again, and of no run; schedules; messages; workers.
-- Index: lane_engine, lane_release, primary key of ready, later_lane, outbox_open.
with lanes as materialized (
  select lane_id, pipeline, stage from sluice.lane where engine_id = $1::bigint or release_id = $1::bigint
), work as (
  select lane_id, job_id from sluice.open_work union all select lane_id, job_id from sluice.blocked
)
select 'job' as kind, l.pipeline, l.stage, j.run_id as id, count(*) as number
from lanes l join work w on w.lane_id = l.lane_id join sluice.job j on j.job_id = w.job_id
group by l.pipeline, l.stage, j.run_id
union all
select 'dead', l.pipeline, null, coalesce(r.parent_id, r.run_id), count(*)
from lanes l join sluice.dead d on d.lane_id = l.lane_id join sluice.job j on j.job_id = d.job_id
left join sluice.run r on r.run_id = j.run_id
where not d.cancelled and coalesce(r.state, 'failed') not in ('cancelled', 'succeeded')
group by l.pipeline, coalesce(r.parent_id, r.run_id)
union all
select 'schedule', s.pipeline, null, null, 1 from sluice.schedule s where s.release_id = $1::bigint
union all
select 'message', o.pipeline, null, o.run_id, count(*) from sluice.outbox o join sluice.run r on r.run_id = o.run_id
where r.release_id = $1::bigint and o.delivered_at is null and o.given_up_at is null group by o.pipeline, o.run_id
union all
select 'worker', w.host, null, w.worker_id, 1 from sluice.worker w join sluice.beat b on b.worker_id = w.worker_id
where w.release_id = $1::bigint and b.expires_at > now()
order by kind, pipeline, stage, id
limit 200
