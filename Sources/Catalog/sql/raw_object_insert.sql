-- The manifest rows of raw objects, written in the transaction of the checkpoint that covers them. $7 is a list of objects whose keys are
-- the columns, so that many small objects are one statement; they get their numbers in their order.
insert into sluice.raw_object (run_id, job_id, epoch, pipeline, source, stream, sequence, key, bytes, sha256, request,
  content_type, origin_bytes, origin_sha256, broken, records, fetched_at)
select $1::bigint, $2::bigint, $3::bigint, $4::text, $5::text, $6::text, o.sequence, o.key, o.bytes, o.sha256, o.request,
  o.content_type, o.origin_bytes, o.origin_sha256, o.broken, o.records, clock_timestamp()
from jsonb_to_recordset($7::jsonb) as o (sequence integer, key text, bytes bigint, sha256 text, request text, content_type text,
  origin_bytes bigint, origin_sha256 text, broken text, records bigint)
order by o.sequence
