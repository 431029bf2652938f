-- What worker $1 holds. Index: lease_worker.
select job_id, epoch from sluice.lease where worker_id = $1::bigint
