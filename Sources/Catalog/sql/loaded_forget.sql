-- Table $4 of target $3 is to be loaded again: nothing is recorded as loaded into it of dataset $2 of pipeline $1.
-- Index: snapshot_dataset, loaded_pkey.
delete from sluice.loaded l
using sluice.snapshot s
where s.pipeline = $1 and s.dataset = $2 and l.snapshot_id = s.snapshot_id and l.target = $3 and l.table_name = $4
