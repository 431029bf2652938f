-- When the checkpoint of job $1 was written. Index: the primary key of mark.
select at::text from sluice.mark where job_id = $1::bigint and step = ''
