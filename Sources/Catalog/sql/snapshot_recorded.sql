-- Those of the snapshots $1 of which a load into table $3 of target $2 is recorded. Index: loaded_pkey.
select snapshot_id::text
from sluice.loaded
where snapshot_id = any ($1::uuid[]) and target = $2 and table_name = $3 and status = 'loaded'
