-- The data files of a snapshot: $2 chunks, $3 keys, $4 partitions, $5 rows, $6 bytes, $7 hashes.
insert into sluice.data_file (snapshot_id, chunk, key, partition, rows, bytes, sha256)
select $1::uuid, c, k, p, r, b, h
from unnest($2::integer[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::text[]) as f (c, k, p, r, b, h)
