-- Which of these (job, epoch) pairs still hold their lease. Index: the primary key of lease.
select l.job_id, l.epoch from sluice.lease l
join unnest($1::bigint[], $2::bigint[]) as asked (job_id, epoch) on l.job_id = asked.job_id and l.epoch = asked.epoch
where l.job_id = any ($1::bigint[])
