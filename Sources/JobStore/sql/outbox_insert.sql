-- Something people are to be told: $1 kind, $2 pipeline, $3 run, $4 body.
insert into sluice.outbox (kind, pipeline, run_id, body, created_at, next_at)
values ($1, $2, $3::bigint, $4::jsonb, clock_timestamp(), clock_timestamp())
