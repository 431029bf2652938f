-- The files of compaction $1: $2 chunks, $3 keys, $4 rows, $5 bytes, $6 hashes.
insert into sluice.compacted_file (compaction_id, chunk, key, rows, bytes, sha256)
select $1::bigint, c, k, r, b, h
from unnest($2::integer[], $3::text[], $4::bigint[], $5::bigint[], $6::text[]) as f (c, k, r, b, h)
