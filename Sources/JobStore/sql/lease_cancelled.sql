-- Which leases of worker $1 are to be given up because their jobs were cancelled. Index: lease_worker.
select job_id, epoch from sluice.lease where worker_id = $1::bigint and cancelled
