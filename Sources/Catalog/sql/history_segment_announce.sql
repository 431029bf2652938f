-- Names a segment's file before it is stored, so that it is found where the attempt does not complete.
insert into sluice.history_segment (pipeline, dataset, source, stream, first_object, objects, identity, content, key, bytes, sha256,
  is_live, created_at)
values ($1, $2, $3, $4, $5::bigint, $6::bigint, $7, $8, $9, $10::bigint, $11, false, now())
returning segment_id
