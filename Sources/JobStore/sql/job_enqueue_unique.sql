-- As job_enqueue, each job with a key of its own in $9: one whose key another living job has is not made.
-- Returns for each key the job that has it, null where that is another transaction's which this one cannot see yet, and
-- whether it is new.
-- Locks: the live keys, in their order; then only the rows it inserts. Index: the primary key of live_key.
with asked as materialized (
  select p, k, nextval(pg_get_serial_sequence('sluice.job', 'job_id')) as job_id
  from unnest($4::text[], $9::text[]) as a (p, k)
), won as (
  insert into sluice.live_key (key, job_id) select k, job_id from asked order by k
  on conflict (key) do nothing
  returning key, job_id
), written as (
  insert into sluice.job (job_id, lane_id, kind, label, payload, max_attempts, time_limit, live_key, created_at)
  overriding system value
  select a.job_id, $1::bigint, $2, $3, a.p::jsonb, $5::integer, make_interval(secs => $6::double precision), a.k,
    coalesce($7::timestamptz, now())
  from asked a join won w on w.job_id = a.job_id
), startable as (
  insert into sluice.ready (lane_id, job_id, attempt, epoch, since)
  select $1::bigint, job_id, 0, 0, coalesce($7::timestamptz, now()) from won where $8::timestamptz is null
), put_off as (
  insert into sluice.later (job_id, run_at, lane_id, attempt, epoch)
  select job_id, $8::timestamptz, $1::bigint, 0, 0 from won where $8::timestamptz is not null
)
select a.k as key, coalesce(w.job_id, held.job_id) as job_id, coalesce(w.job_id = a.job_id, false) as is_new
from asked a
left join won w on w.key = a.k
left join sluice.live_key held on held.key = a.k
