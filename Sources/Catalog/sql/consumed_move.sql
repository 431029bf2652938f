-- What snapshot $3 of dataset $2 of pipeline $1 took is in snapshot $4 from now on, which replaces it. Locks: the rows. Index: consumed_pkey.
update sluice.consumed set snapshot_id = $4::uuid where pipeline = $1 and dataset = $2 and snapshot_id = $3::uuid
