-- Keeps the lease of job $1 with epoch $2 from being ended by others until the transaction ends. Before permit_lock: whoever
-- ends leases and then passes their permits on takes the locks in this order.
-- Locks: the lease row. Index: the primary key of lease.
select from sluice.lease where job_id = $1::bigint and epoch = $2::bigint for update
