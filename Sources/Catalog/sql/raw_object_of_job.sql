-- What job $1 has recorded so far, in order. Index: raw_object_run.
select * from sluice.raw_object where job_id = $1::bigint and run_id = $2::bigint order by sequence
