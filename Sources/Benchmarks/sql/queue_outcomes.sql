-- How many attempts the history holds and of how many jobs: the two are equal when each was done exactly once.
select count(*) as attempts, count(distinct job_id) as jobs from sluice.outcome
