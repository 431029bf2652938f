-- All of a stream's history that is whole: of sealed, unskipped runs up to run $4, oldest first.
-- Index: raw_object_stream.
select o.* from sluice.raw_object o
join sluice.sealed s on s.pipeline = o.pipeline and s.source = o.source and s.stream = o.stream and s.run_id = o.run_id
where o.pipeline = $1 and o.source = $2 and o.stream = $3 and o.run_id <= $4::bigint and o.broken is null and not s.skipped
order by o.run_id, o.sequence
