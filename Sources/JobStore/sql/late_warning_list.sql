-- What was told of the runs $1 that miss their deadline.
-- Locks: none. Index: primary key of late_warning.
select w.run_id, w.late_seconds, w.missed from sluice.late_warning w where w.run_id = any ($1::bigint[])
