-- What the database's clock says, in seconds since 1970 and as text; until when history is complete (an attempt is written into it a moment
-- before its transaction commits); how many connections the server takes; the number of the newest job.
-- Index: primary key of job.
select extract(epoch from now())::double precision as seconds, now()::text as at, (now() - interval '1 second')::text as settled,
  current_setting('max_connections')::integer as connections, coalesce((select max(j.job_id) from sluice.job j), 0) as newest_job
