-- A new run with as many pending jobs as its plan has.
insert into sluice.run (pipeline, kind, target, parent_id, release_id, state, pending, run_at, created_at)
values ($1, $2, $3, $4::bigint, $5::bigint, 'queued', $6::integer,
  coalesce($7::timestamptz, now()), coalesce($7::timestamptz, now()))
returning run_id
