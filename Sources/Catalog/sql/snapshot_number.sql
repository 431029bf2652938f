-- The number of snapshot $1, if it belongs to dataset $3 of pipeline $2.
select number from sluice.snapshot where snapshot_id = $1::uuid and pipeline = $2 and dataset = $3
