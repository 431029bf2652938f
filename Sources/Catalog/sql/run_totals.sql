-- What the stages of run $1 moved. Index: raw_object_run, snapshot_run.
select
  (select count(*) from sluice.raw_object where run_id = $1::bigint) as objects,
  (select coalesce(sum(bytes), 0)::bigint from sluice.raw_object where run_id = $1::bigint) as bytes,
  (select coalesce(sum(records), 0)::bigint from sluice.raw_object where run_id = $1::bigint) as records,
  (select count(*) from sluice.snapshot where run_id = $1::bigint) as snapshots,
  (select coalesce(sum(rows_in), 0)::bigint from sluice.snapshot where run_id = $1::bigint) as rows_in,
  (select coalesce(sum(rows_out), 0)::bigint from sluice.snapshot where run_id = $1::bigint) as rows_out,
  (select case when count(*) = count(filtered) then coalesce(sum(filtered), 0)::bigint end
    from sluice.snapshot where run_id = $1::bigint) as filtered,
  (select coalesce(sum(deduplicated), 0)::bigint from sluice.snapshot where run_id = $1::bigint) as deduplicated,
  (select coalesce(sum(quarantined), 0)::bigint from sluice.snapshot where run_id = $1::bigint) as quarantined
