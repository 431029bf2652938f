-- What the catalog knows of the size of the storage: rows of datasets, written since the last full snapshot of each, and bytes of raw and of data files.
-- Reads at most $1 rows of each table; null where there are more.
with known as materialized (
  select pipeline, dataset, number, is_full, rows_out from sluice.snapshot limit $1::bigint + 1
), counted as (
  select rows_out, number, max(number) filter (where is_full) over (partition by pipeline, dataset) as first from known
)
select
  (select case when count(*) <= $1::bigint then coalesce(sum(rows_out) filter (where number >= coalesce(first, 0)), 0) end from counted)::bigint as rows,
  (select case when count(*) <= $1::bigint then coalesce(sum(bytes), 0) end
    from (select bytes from sluice.raw_object limit $1::bigint + 1) as raw)::bigint as raw_bytes,
  (select case when count(*) <= $1::bigint then coalesce(sum(bytes), 0) end
    from (select bytes from sluice.data_file limit $1::bigint + 1) as file)::bigint as curated_bytes
