-- The jobs that do the work of job $1 together: those of its run with its kind and payload. How many there are, and how many are not done.
-- In a statement of its own after job_complete, which holds the run's row: of two that end at once the later one sees both as done.
-- Locks: none. Index: job_run, primary keys.
select count(*) as jobs, count(*) filter (where s.state <> 'DONE') as open
from sluice.job o
join sluice.job j on j.run_id = o.run_id and j.kind = o.kind and j.payload = o.payload
join sluice.job_state s on s.job_id = j.job_id
where o.job_id = $1::bigint
