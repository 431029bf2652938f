-- A new run with as many pending jobs as its plan has; under the number $8 where one was drawn before.
insert into sluice.run (run_id, pipeline, kind, target, parent_id, release_id, state, pending, run_at, created_at)
overriding system value
values (coalesce($8::bigint, nextval('sluice.run_run_id_seq')), $1, $2, $3, $4::bigint, $5::bigint, 'queued', $6::integer,
  coalesce($7::timestamptz, now()), coalesce($7::timestamptz, now()))
returning run_id
