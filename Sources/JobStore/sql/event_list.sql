-- Events of run $1 and its loads, oldest first.
select kind, job_id, message, detail, at::text from sluice.event
where run_id in (select run_id from sluice.run where run_id = $1::bigint or parent_id = $1::bigint) order by event_id
