-- Resumes pipeline $1, and its lanes. Times that went by meanwhile are not caught up.
-- Returns since when it was paused; nothing where it was not.
-- Locks: the pause's row, the lanes, the schedule's row.
with ended as (
  delete from sluice.pause where pipeline = $1 returning since
), going as (
  update sluice.lane set paused = false where pipeline = $1 and paused and exists (select from ended)
), anew as (
  update sluice.schedule set considered_at = greatest(considered_at, coalesce($2::timestamptz, now())), next_at = null
  where pipeline = $1 and exists (select from ended)
)
select since::text from ended
