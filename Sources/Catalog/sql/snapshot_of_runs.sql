-- The snapshots of dataset $2 of pipeline $1 that the runs $3 made, oldest first. Index: snapshot_dataset.
select snapshot_id::text, run_id, number
from sluice.snapshot
where pipeline = $1 and dataset = $2 and run_id = any ($3::bigint[])
order by number
