-- What run $1 pulled, in order. Index: raw_object_run.
select * from sluice.raw_object where run_id = $1::bigint order by source, stream, sequence
