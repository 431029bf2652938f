-- What a reader of dataset $2 of pipeline $1 (null: all) opens, oldest first: of the newest full snapshot and everything added since,
-- or of all of an incremental dataset, the compactions and the snapshots outside of them. Each row has its newest snapshot.
-- A compaction counts while all of its snapshots are there and visible. One statement, so that each snapshot is in exactly one row.
-- Indexes: snapshot_dataset, compaction_dataset, the primary keys.
with shown as materialized (
  select s.pipeline, s.dataset, s.number, s.snapshot_id
  from sluice.snapshot s
  join (
    select f.pipeline, f.dataset, coalesce(max(f.number) filter (where f.is_full), 0) as first_number
    from sluice.snapshot f
    where ($1::text is null or f.pipeline = $1) and ($2::text is null or f.dataset = $2)
    group by f.pipeline, f.dataset) d
    on d.pipeline = s.pipeline and d.dataset = s.dataset and s.number >= d.first_number
), whole as materialized (
  select c.compaction_id, c.pipeline, c.dataset, c.first_number, c.last_number, c.snapshots
  from sluice.compaction c
  join (select v.pipeline, v.dataset, min(v.number) as first_number from shown v group by v.pipeline, v.dataset) d
    on d.pipeline = c.pipeline and d.dataset = c.dataset and c.first_number >= d.first_number
  where c.state = 'current' and c.snapshots = (
    select count(*) from sluice.snapshot s
    where s.pipeline = c.pipeline and s.dataset = c.dataset and s.number between c.first_number and c.last_number)
), part as (
  select v.snapshot_id, v.number as first_number, 1 as snapshots, null::bigint as compaction_id
  from shown v
  where not exists (
    select from whole w
    where w.pipeline = v.pipeline and w.dataset = v.dataset and v.number between w.first_number and w.last_number)
  union all
  select v.snapshot_id, w.first_number, w.snapshots, w.compaction_id
  from whole w join shown v on v.pipeline = w.pipeline and v.dataset = w.dataset and v.number = w.last_number
)
select s.snapshot_id::text, s.number, s.pipeline, s.dataset, s.run_id, s.is_full, s.columns, s.key, s.cursor_field, s.rows_in,
  s.rows_out, s.filtered, s.deduplicated, s.quarantined, s.quarantine_key, s.quarantine_keys_readable, s.created_at::text,
  p.first_number, p.snapshots, p.compaction_id, coalesce(f.files, '[]')::text as files
from part p
join sluice.snapshot s on s.snapshot_id = p.snapshot_id
cross join lateral (
  select json_agg(
    json_build_object(
      'chunk', o.chunk, 'key', o.key, 'partition', o.partition, 'rows', o.rows, 'bytes', o.bytes, 'sha256', o.sha256)
    order by o.chunk) as files
  from (
    select d.chunk, d.key, d.partition, d.rows, d.bytes, d.sha256
    from sluice.data_file d where p.compaction_id is null and d.snapshot_id = p.snapshot_id
    union all
    select c.chunk, c.key, '', c.rows, c.bytes, c.sha256
    from sluice.compacted_file c where c.compaction_id = p.compaction_id) o) f
order by s.pipeline, s.dataset, s.number
