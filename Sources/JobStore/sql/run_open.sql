-- The open runs of $1 (null: those of the $2 batches with the earliest deadlines, passed ones last), each batch together with its loads: the number of the batch,
-- the open runs, by when they must be done, what is pending, and how many jobs of the pipeline may run at once (null: no
-- limit). $3 now.
-- Locks: none. Index: primary key of run, run_deadline, run_parent; primary key of permit_limit, lane_new.
with asked as materialized (
  select distinct coalesce(r.parent_id, r.run_id) as root
  from sluice.run r
  where r.run_id = any (coalesce($1::bigint[], array(
    select b.root from (
      select coalesce(d.parent_id, d.run_id) as root, min(d.deadline_at) as at
      from sluice.run d where d.deadline_at is not null and d.state in ('queued', 'running')
      group by coalesce(d.parent_id, d.run_id)) b
    order by b.at < coalesce($3::timestamptz, now()), b.at, b.root limit $2::integer)))
)
select a.root, min(m.pipeline) as pipeline, array_to_string(array_agg(m.run_id order by m.run_id), ',') as runs, sum(m.pending) as pending,
  min(m.deadline_at)::text as deadline, extract(epoch from min(m.deadline_at))::double precision as deadline_seconds,
  extract(epoch from coalesce($3::timestamptz, now()))::double precision as now_seconds,
  (select p.slots from sluice.permit_limit p where p.key = 'pipeline/' || min(m.pipeline)
    and exists (select from sluice.lane l where l.pipeline = min(m.pipeline) and l.takes_new and l.limited)) as max_running
from asked a
cross join lateral (
  select r.run_id, r.pipeline, r.pending, r.deadline_at, r.state from sluice.run r where r.run_id = a.root
  union all
  select r.run_id, r.pipeline, r.pending, r.deadline_at, r.state from sluice.run r where r.parent_id = a.root) m
where m.state in ('queued', 'running')
group by a.root
order by min(m.deadline_at), a.root
