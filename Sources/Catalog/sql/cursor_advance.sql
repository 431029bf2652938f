-- A stream's new cursor; written only in the transaction that completes the ingest.
insert into sluice.cursor (pipeline, source, stream, value, run_id, at)
values ($1, $2, $3, $4, $5::bigint, clock_timestamp())
