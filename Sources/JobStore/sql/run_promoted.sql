-- A batch of pipeline $1 on release $2 that has ended and had no jobs: what it brought was computed in another environment.
insert into sluice.run (pipeline, kind, release_id, state, pending, run_at, created_at, started_at, finished_at)
values ($1, 'batch', $2::bigint, 'succeeded', 0, now(), now(), now(), now())
returning run_id
