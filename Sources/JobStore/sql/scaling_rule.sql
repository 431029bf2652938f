-- What the process $1 with epoch $2 asks of all workers under memory pressure: they claim no job that needs more than $3 bytes (null: no limit), and
-- the attempts (jobs $4, epochs $5) give their jobs back at the next checkpoint. Holds while the process decides.
-- Locks: the one row of the lead.
update sluice.scaling_lead set heaviest_bytes = $3::double precision, yield_jobs = $4::bigint[], yield_epochs = $5::bigint[]
where holder = $1::text and epoch = $2::bigint and until > now()
returning epoch
