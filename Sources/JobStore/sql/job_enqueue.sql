-- Jobs without a run, all of one lane and one kind, one for each payload in $4; ready now, or later at $8.
-- $1 pipeline, $2 kind, $3 label, $5 attempts, $6 time limit in seconds, $7 now, $9 class. Returns their numbers with the
-- lane's; nothing where the lane is not there yet.
-- Locks: only the rows it inserts. Index: lane_new.
with place as materialized (
  select lane_id from sluice.lane where pipeline = $1 and stage = $2 and class = $9::smallint and release_id = 0
    and takes_new
), written as (
  insert into sluice.job (lane_id, kind, label, payload, max_attempts, time_limit, created_at)
  select place.lane_id, $2, $3, p::jsonb, $5::integer, make_interval(secs => $6::double precision),
    coalesce($7::timestamptz, now())
  from place cross join unnest($4::text[]) as p
  returning job_id, lane_id
), startable as (
  insert into sluice.ready (lane_id, job_id, attempt, epoch, since)
  select lane_id, job_id, 0, 0, coalesce($7::timestamptz, now()) from written where $8::timestamptz is null
), put_off as (
  insert into sluice.later (job_id, run_at, lane_id, attempt, epoch)
  select job_id, $8::timestamptz, lane_id, 0, 0 from written where $8::timestamptz is not null
)
select job_id, lane_id from written
