-- Whether the $5 snapshots from number $3 to $4 of dataset $2 of pipeline $1 are all there and visible still, and no current
-- compaction has some of them and others. Runs after snapshot_lock. Indexes: snapshot_dataset, compaction_dataset.
select (
    select count(*) from sluice.snapshot s
    where s.pipeline = $1 and s.dataset = $2 and s.number between $3::bigint and $4::bigint) = $5::bigint
  and not exists (
    select from sluice.snapshot s where s.pipeline = $1 and s.dataset = $2 and s.number > $3::bigint and s.is_full)
  and not exists (
    select from sluice.compaction c
    where c.pipeline = $1 and c.dataset = $2 and c.state = 'current'
      and c.first_number <= $4::bigint and c.last_number >= $3::bigint
      and not (c.first_number >= $3::bigint and c.last_number <= $4::bigint)) as fits
