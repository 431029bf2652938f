-- The jobs that do the work of job $1 together (job_parts), in the order of their numbers: whether each is done, and its checkpoint.
-- Locks: none. Index: job_run, primary keys.
select j.job_id, s.state = 'DONE' as is_done, m.format as mark_format, m.state as mark_state
from sluice.job o
join sluice.job j on j.run_id = o.run_id and j.kind = o.kind and j.payload = o.payload
join sluice.job_state s on s.job_id = j.job_id
left join sluice.mark m on m.job_id = j.job_id and m.step = ''
where o.job_id = $1::bigint
order by j.job_id
