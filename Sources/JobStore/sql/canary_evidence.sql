-- What attempts of runs of the releases $1 and $2 did since $3, by kind: how many ended and how, the
-- 95th percentiles of their seconds and, where at least $4 were seen, of their memory, and the rows of their snapshots. Reads the
-- partitions of outcome since then.
with ended as (
  select r.release_id, j.kind, o.status, extract(epoch from o.finished_at - o.started_at) as seconds,
    (o.detail ->> 'peak_memory')::double precision as memory
  from sluice.outcome o
  join sluice.job j on j.job_id = o.job_id
  join sluice.run r on r.run_id = j.run_id
  where o.finished_at >= $3::timestamptz and r.release_id in ($1::bigint, $2::bigint)
    and o.status in ('done', 'retried', 'dead', 'crashed')
), rows as (
  select r.release_id, sum(s.rows_in)::bigint as rows_in, sum(s.rows_out)::bigint as rows_out, sum(s.quarantined)::bigint as rejected
  from sluice.snapshot s join sluice.run r on r.run_id = s.run_id
  where s.created_at >= $3::timestamptz and r.release_id in ($1::bigint, $2::bigint)
  group by r.release_id
)
select e.release_id, e.kind, count(*) as finished, count(*) filter (where e.status in ('retried', 'dead')) as failed,
  count(*) filter (where e.status = 'crashed') as crashed,
  percentile_cont(0.95) within group (order by e.seconds) filter (where e.status = 'done') as slowest,
  case when count(e.memory) filter (where e.status = 'done') >= $4::integer then
    percentile_cont(0.95) within group (order by e.memory) filter (where e.status = 'done') end as heaviest,
  coalesce(max(w.rows_in) filter (where e.kind = 'curate'), 0) as rows_in,
  coalesce(max(w.rows_out) filter (where e.kind = 'curate'), 0) as rows_out,
  coalesce(max(w.rejected) filter (where e.kind = 'curate'), 0) as rejected
from ended e left join rows w on w.release_id = e.release_id
group by e.release_id, e.kind order by e.kind, e.release_id
