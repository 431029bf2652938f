-- The newest version of each file of a stream that completed runs, or this run $4, have taken, and of those that were found broken: a
-- broken file is read again once it has changed, and so is one that returns to an earlier version. What was taken last has the highest
-- number. Index: raw_object_stream.
select distinct on (o.request) o.request, o.origin_bytes, o.origin_sha256 from sluice.raw_object o
where o.pipeline = $1 and o.source = $2 and o.stream = $3 and (o.run_id = $4::bigint or o.broken is not null or exists (
  select from sluice.sealed s
  where s.pipeline = o.pipeline and s.source = o.source and s.stream = o.stream and s.run_id = o.run_id))
order by o.request, o.object_id desc
