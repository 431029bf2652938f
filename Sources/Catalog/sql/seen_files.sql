-- The files of a stream that completed runs have taken, those that this run $4 has, and those that were found broken:
-- a broken file is read again once it has changed. Index: raw_object_stream.
select distinct o.request, o.origin_bytes, o.origin_sha256 from sluice.raw_object o
where o.pipeline = $1 and o.source = $2 and o.stream = $3 and (o.run_id = $4::bigint or o.broken is not null or exists (
  select from sluice.sealed s
  where s.pipeline = o.pipeline and s.source = o.source and s.stream = o.stream and s.run_id = o.run_id))
