-- Which of these (job, epoch) pairs ended as done: asked when the answer to their acknowledgement was lost.
-- Index: outcome_job.
select o.job_id, o.epoch from sluice.outcome o
join unnest($1::bigint[], $2::bigint[]) as asked (job_id, epoch) on o.job_id = asked.job_id and o.epoch = asked.epoch
where o.status = 'done'
