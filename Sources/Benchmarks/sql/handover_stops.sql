-- How long each job stood still between a yield and its next attempt, since $1; nothing while one stands still yet.
with attempts as (
  select job_id, epoch, status, started_at, finished_at from sluice.outcome
  union all
  select job_id, epoch, 'running', claimed_at, null from sluice.lease
), pairs as (
  select status, finished_at, lead(started_at) over (partition by job_id order by epoch) as next_start from attempts
), stops as (
  select finished_at, next_start from pairs where status = 'yielded' and finished_at >= $1::timestamptz
)
select extract(epoch from next_start - finished_at)::double precision as seconds from stops
where not exists (select from stops where next_start is null)
