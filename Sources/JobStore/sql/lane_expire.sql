-- Deletes lanes that have had no job for $1 seconds, in three steps, because a job may be enqueued into a lane at any time: notes
-- since when none is left, not even in the history; later lets new jobs make a lane of their own; a day after that deletes it, when
-- every transaction that had read it has ended. Returns how many were deleted.
-- Reads the whole of the jobs: not for what is asked all the time. Locks: lane rows; those that others hold are skipped.
with time as materialized (
  select coalesce($2::timestamptz, now()) as at, coalesce($2::timestamptz, now()) - make_interval(secs => $1::double precision) as kept
), used as materialized (
  select distinct lane_id from sluice.job
), locked as materialized (
  -- The count reads all jobs before the first lane is locked.
  select l.lane_id, l.takes_new, l.idle_since from sluice.lane l
  where (select count(*) from used) >= 0
  order by l.lane_id
  for update skip locked
), seen as materialized (
  select l.lane_id, l.takes_new, l.idle_since, l.lane_id in (select lane_id from used) as is_used from locked l
), woken as (
  update sluice.lane l set idle_since = null from seen s where l.lane_id = s.lane_id and s.is_used and s.idle_since is not null
), idle as (
  update sluice.lane l set idle_since = t.at from seen s, time t
  where l.lane_id = s.lane_id and not s.is_used and (s.idle_since is null or s.idle_since > t.at)
), closed as (
  update sluice.lane l set takes_new = false, idle_since = t.at from seen s, time t
  where l.lane_id = s.lane_id and not s.is_used and s.takes_new and s.idle_since < t.kept
), gone as (
  delete from sluice.lane l using seen s, time t
  where l.lane_id = s.lane_id and not s.is_used and not s.takes_new and s.idle_since < t.at - interval '1 day'
  returning l.lane_id
)
select count(*) as lanes from gone
