-- All of a stream's history that is whole: of sealed, unskipped runs up to run $4, oldest first, with each run's own time.
-- Index: raw_object_stream.
select o.*, r.run_at::text as run_at from sluice.raw_object o
join sluice.sealed s on s.pipeline = o.pipeline and s.source = o.source and s.stream = o.stream and s.run_id = o.run_id
join sluice.run r on r.run_id = o.run_id
where o.pipeline = $1 and o.source = $2 and o.stream = $3 and o.run_id <= $4::bigint and o.broken is null and not s.skipped
order by o.run_id, o.sequence
