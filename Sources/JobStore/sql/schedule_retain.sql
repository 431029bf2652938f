-- Ends every schedule but those of the pipelines $1; what became of their times stays. Times that wait are given up.
-- Locks: the rows it deletes, then their waiting ticks.
with ended as (
  delete from sluice.schedule where pipeline <> all ($1::text[]) returning pipeline
), given_up as (
  update sluice.schedule_tick t set outcome = 'skipped', reason = 'the schedule was removed', decided_at = now()
  from ended e where t.pipeline = e.pipeline and t.outcome = 'waiting'
)
select pipeline from ended order by pipeline
