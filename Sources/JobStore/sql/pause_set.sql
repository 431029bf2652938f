-- Pauses pipeline $1, and its lanes. Runs after pause_lock, so that none is made meanwhile.
-- Returns since when, and whether it was paused before.
-- Locks: the pause's row, then the lanes that are not paused.
with before as (
  select since from sluice.pause where pipeline = $1
), set as (
  insert into sluice.pause (pipeline, since) select $1, coalesce($2::timestamptz, now())
  where not exists (select from before) returning since
), stopped as (
  update sluice.lane set paused = true where pipeline = $1 and not paused
)
select since::text, true as was_paused from before union all select since::text, false from set
