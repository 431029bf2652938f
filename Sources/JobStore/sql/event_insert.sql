-- Something an operator would ask about later.
insert into sluice.event (kind, pipeline, run_id, job_id, message, detail, at)
values ($1, $2, $3::bigint, $4::bigint, $5, $6::jsonb, clock_timestamp())
