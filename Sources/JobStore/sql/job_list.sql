-- Jobs with where they stand: of run $1 (with its loads), or the job $2, or those in state $3; newest first, at most $4.
-- Index: job_run. The runs are an array that is made first: compared with a subquery, every job would be read.
select s.job_id, s.run_id, s.kind, s.label, s.state, coalesce(s.attempt, o.attempt) as attempt, s.max_attempts,
  coalesce(s.epoch, o.epoch) as epoch, s.worker_id,
  s.created_at::text, s.claimed_at::text, s.run_at::text, l.pipeline, l.stage, m.format as mark_format, m.state as mark_state,
  m.at::text as mark_at, p.state as progress, p.at::text as progress_at
from sluice.job_state s
join sluice.lane l on l.lane_id = s.lane_id
left join sluice.mark m on m.job_id = s.job_id and m.step = ''
left join sluice.progress p on p.job_id = s.job_id
left join lateral (
  select attempt, epoch from sluice.outcome where job_id = s.job_id order by epoch desc limit 1
) o on s.state = 'DONE'
where ($1::bigint is null or s.run_id = any (array(select run_id from sluice.run where run_id = $1 or parent_id = $1)))
  and ($2::bigint is null or s.job_id = $2) and ($3::text is null or s.state = $3)
order by s.job_id desc limit $4::integer
