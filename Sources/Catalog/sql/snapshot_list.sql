-- Snapshots of dataset $2 of pipeline $1 (null: all), oldest first, from number $3 on; of run $4 (null: all).
select snapshot_id::text, number, pipeline, dataset, run_id, is_full, columns, key, cursor_field, rows_in, rows_out, filtered,
  deduplicated, quarantined, quarantine_key, quarantine_keys_readable, created_at::text
from sluice.snapshot
where ($1::text is null or pipeline = $1) and ($2::text is null or dataset = $2) and number >= $3::bigint
  and ($4::bigint is null or run_id = $4)
order by number
