-- A run of pipeline $1 that is done and has no jobs: what it stands for was brought otherwise. $2: the release.
insert into sluice.run (pipeline, kind, release_id, state, pending, run_at, created_at, started_at, finished_at)
values ($1, 'batch', $2::bigint, 'succeeded', 0, now(), now(), now(), now())
returning run_id
