-- One raw object's manifest row, written in the transaction of the checkpoint that covers it.
insert into sluice.raw_object (run_id, job_id, epoch, pipeline, source, stream, sequence, key, bytes, sha256, request,
  content_type, origin_bytes, origin_sha256, broken, records, fetched_at)
values ($1::bigint, $2::bigint, $3::bigint, $4, $5, $6, $7::integer, $8, $9::bigint, $10, $11, $12, $13::bigint, $14, $15,
  $16::bigint, clock_timestamp())
returning object_id
