-- The attempt $2 of the job $1 has begun in the process $3.
insert into bench.start (job_id, epoch, pid) values ($1::bigint, $2::bigint, $3::integer)
