-- The objects of a stream in the runs $4, in order. Index: raw_object_stream.
select * from sluice.raw_object
where pipeline = $1 and source = $2 and stream = $3 and run_id = any ($4::bigint[]) and broken is null
order by run_id, sequence
