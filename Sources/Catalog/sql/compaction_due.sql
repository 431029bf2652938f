-- Whether dataset $2 of pipeline $1 has gathered $3 small snapshots, each below $4 bytes, since its last compaction and its last full
-- snapshot. It reads those alone, however many there were before.
-- Indexes: snapshot_dataset, the primary key of data_file, compaction_dataset.
with newest as materialized (
  select s.number, s.is_full,
    (select coalesce(sum(f.bytes), 0) from sluice.data_file f where f.snapshot_id = s.snapshot_id) as bytes
  from sluice.snapshot s
  where s.pipeline = $1 and s.dataset = $2
  order by s.number desc limit $3::bigint
)
select count(*) = $3::bigint and not bool_or(n.is_full) and max(n.bytes) < $4::bigint and not exists (
    select from sluice.compaction c
    where c.pipeline = $1 and c.dataset = $2 and c.state = 'current' and c.last_number >= (select min(number) from newest)
  ) as due
from newest n
