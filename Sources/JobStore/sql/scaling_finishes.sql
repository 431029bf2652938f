-- Of the last $1 runs with a deadline that have ended together with their loads: when they were expected to end and when they did, in seconds from
-- when that was predicted (null: it was not, or the run failed); whether it was told before the deadline that it would be missed, and whether it was.
-- Cancelled runs, and those whose work another run does, say nothing.
-- Locks: none. Index: primary key of run, run_parent, event_run. Reads back until there are enough: a person asks for it.
select r.pipeline,
  extract(epoch from f.early_at - f.made_at)::double precision as early,
  extract(epoch from f.mean_at - f.made_at)::double precision as mean,
  extract(epoch from f.late_at - f.made_at)::double precision as late,
  case when not e.failed then extract(epoch from e.at - f.made_at)::double precision end as actual,
  exists (
    select from sluice.event v where v.run_id = r.run_id and v.kind = 'deadline_late' and v.at < r.deadline_at) as announced,
  e.failed or e.at > r.deadline_at as missed
from sluice.run r
cross join lateral (
  select max(l.finished_at) as at, bool_or(l.state = 'failed') as failed,
    bool_or(l.state not in ('succeeded', 'failed') or l.finished_at is null) as is_open
  from (
    select o.state, o.finished_at from sluice.run o where o.run_id = r.run_id
    union all
    select o.state, o.finished_at from sluice.run o where o.parent_id = r.run_id) l) e
left join sluice.finish_forecast f on f.run_id = r.run_id
where r.parent_id is null and r.deadline_at is not null and r.moved_to is null and not e.is_open
order by r.run_id desc limit $1::bigint
