-- What a reader of dataset $2 of pipeline $1 sees, oldest first: the newest full snapshot and everything added since, or all of an
-- incremental dataset. Index: snapshot_dataset.
select snapshot_id::text, number, pipeline, dataset, run_id, is_full, columns, key, cursor_field, rows_in, rows_out, filtered,
  deduplicated, quarantined, quarantine_key, quarantine_keys_readable, created_at::text
from sluice.snapshot
where pipeline = $1 and dataset = $2 and number >= coalesce((
  select max(f.number) from sluice.snapshot f where f.pipeline = $1 and f.dataset = $2 and f.is_full), 0)
order by number
