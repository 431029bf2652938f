-- One committed version of a dataset, in the transaction that completes its job.
insert into sluice.snapshot (snapshot_id, pipeline, dataset, run_id, job_id, is_full, columns, key, cursor_field, rows_in,
  rows_out, filtered, deduplicated, quarantined, quarantine_key, quarantine_keys_readable, previous_id, created_at)
values ($1::uuid, $2, $3, $4::bigint, $5::bigint, $6::boolean, $7::jsonb, $8::jsonb, $9, $10::bigint, $11::bigint,
  $12::bigint, $13::bigint, $14::bigint, $15, $16::boolean, $17::uuid, clock_timestamp())
returning number
