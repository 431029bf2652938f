-- Jobs without a run, all of one lane and one kind, one for each payload in $4; ready now, or later at $8.
-- $1 lane, $2 kind, $3 label, $5 attempts, $6 time limit in seconds, $7 now. Returns their numbers.
-- Locks: only the rows it inserts. Index: none is read.
with written as (
  insert into sluice.job (lane_id, kind, label, payload, max_attempts, time_limit, created_at)
  select $1::bigint, $2, $3, p::jsonb, $5::integer, make_interval(secs => $6::double precision),
    coalesce($7::timestamptz, now())
  from unnest($4::text[]) as p
  returning job_id
), startable as (
  insert into sluice.ready (lane_id, job_id, attempt, epoch, since)
  select $1::bigint, job_id, 0, 0, coalesce($7::timestamptz, now()) from written where $8::timestamptz is null
), put_off as (
  insert into sluice.later (job_id, run_at, lane_id, attempt, epoch)
  select job_id, $8::timestamptz, $1::bigint, 0, 0 from written where $8::timestamptz is not null
)
select job_id from written
