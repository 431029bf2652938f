-- Every schedule, paused or not, and every paused pipeline, with the last time that was decided.
select coalesce(s.pipeline, p.pipeline) as pipeline, s.cron, s.timezone, s.overlap, s.catch_up, s.next_at::text,
  p.since::text as paused_since, t.scheduled_at::text as last_at, t.outcome as last_outcome, t.run_id as last_run, t.reason as last_reason
from sluice.schedule s
full join sluice.pause p on p.pipeline = s.pipeline
left join lateral (
  select * from sluice.schedule_tick k where k.pipeline = s.pipeline order by k.scheduled_at desc limit 1) t on true
where $1::text is null or coalesce(s.pipeline, p.pipeline) = $1
order by 1
