-- The newest snapshot of dataset $2 of pipeline $1. Index: snapshot_dataset.
select snapshot_id::text, number, pipeline, dataset, run_id, is_full, columns, key, cursor_field, rows_in, rows_out, filtered,
  deduplicated, quarantined, quarantine_key, quarantine_keys_readable, created_at::text
from sluice.snapshot
where pipeline = $1 and dataset = $2 order by number desc limit 1
