-- Lets the job end.
insert into bench.finish (job_id) values ($1::bigint)
