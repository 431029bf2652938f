-- Draws the numbers of the jobs that the next statement inserts, so that edges can name them.
select nextval(pg_get_serial_sequence('sluice.job', 'job_id')) as job_id from generate_series(1, $1::integer)
