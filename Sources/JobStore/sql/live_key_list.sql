-- The living jobs that have the keys $1. Index: the primary key of live_key.
select key, job_id from sluice.live_key where key = any ($1::text[])
