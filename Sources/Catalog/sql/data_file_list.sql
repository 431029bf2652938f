-- The data files of the snapshots $1.
select f.snapshot_id::text, f.chunk, f.key, f.partition, f.rows, f.bytes, f.sha256
from sluice.data_file f join sluice.snapshot s on s.snapshot_id = f.snapshot_id
where f.snapshot_id = any ($1::text[]::uuid[]) order by s.number, f.chunk
