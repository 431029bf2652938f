-- A stream's ingest of a run is done: its objects are due. Written in the transaction that completes the job.
insert into sluice.sealed (run_id, pipeline, source, stream, read, sealed_at)
values ($1::bigint, $2, $3, $4, $5, clock_timestamp())
on conflict (pipeline, source, stream, run_id) do nothing
