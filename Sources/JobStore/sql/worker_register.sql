-- One new identity for each process start, with its first beat.
with born as (
  insert into sluice.worker (release_id, host, pid, engine, slots, serves_one_run, schema_number, launch_id)
  values (nullif($1::bigint, 0), $2, $3::integer, $4, $5::integer, $8::boolean, $9::integer, $10)
  returning worker_id
)
insert into sluice.beat (worker_id, beat_at, expires_at, has_session_lock)
select worker_id, now(), now() + make_interval(secs => $6::double precision), $7::boolean from born
returning worker_id
