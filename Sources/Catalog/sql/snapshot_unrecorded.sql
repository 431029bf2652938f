-- The snapshots of dataset $2 of pipeline $1 up to number $3 for which no load into table $5 of target $4 is recorded: the attempt
-- that loaded them died before it completed its job. Indexes: snapshot_dataset, loaded_pkey.
select s.snapshot_id::text
from sluice.snapshot s
where s.pipeline = $1 and s.dataset = $2 and s.number <= $3::bigint
  and not exists (
    select from sluice.loaded l where l.snapshot_id = s.snapshot_id and l.target = $4 and l.table_name = $5)
order by s.number
