-- What the jobs of the last $2 runs of each pipeline of $1 that succeeded took, at most $3 jobs of each run: the seconds of the attempts whose work was
-- not lost, and the most memory in bytes (null: not measured).
-- Locks: none. Index: run_recent, job_run; outcome_job finds the ranges of pages of a run's jobs in the partitions of its days.
with recent as materialized (
  select r.run_id, r.pipeline, r.created_at, r.finished_at
  from unnest($1::text[]) as asked (pipeline)
  cross join lateral (
    select n.run_id, n.pipeline, n.created_at, n.finished_at from sluice.run n
    where n.pipeline = asked.pipeline and n.state = 'succeeded' and n.finished_at is not null
    order by n.run_id desc limit $2::integer) r
), done as materialized (
  select r.run_id, r.pipeline, r.created_at, r.finished_at, j.job_id, j.kind, j.label
  from recent r
  cross join lateral (
    select j.job_id, j.kind, j.label from sluice.job j where j.run_id = r.run_id order by j.job_id limit $3::integer) j
), bounds as materialized (
  select d.run_id, d.created_at, d.finished_at, min(d.job_id) as first, max(d.job_id) as last from done d
  group by d.run_id, d.created_at, d.finished_at
), took as materialized (
  select o.job_id, o.seconds, o.memory
  from bounds b
  cross join lateral (
    select o.job_id,
      sum(extract(epoch from o.finished_at - o.started_at)) filter (where o.status in ('done', 'yielded', 'snoozed')) as seconds,
      max((o.detail ->> 'peak_memory')::double precision) as memory
    from sluice.outcome o
    where o.job_id >= b.first and o.job_id <= b.last
      and o.finished_at >= b.created_at - interval '1 minute' and o.finished_at <= b.finished_at + interval '1 minute'
    group by o.job_id having bool_or(o.status = 'done')
    offset 0) o
)
select d.pipeline, d.kind, d.label, greatest(0, t.seconds)::double precision as seconds, t.memory
from done d join took t on t.job_id = d.job_id
order by d.run_id, d.job_id
