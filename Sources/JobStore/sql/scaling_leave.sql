-- Ends the lease of process $1, so that another one decides at once.
-- Locks: the one row.
update sluice.scaling_lead set until = now() where holder = $1::text and until > now()
