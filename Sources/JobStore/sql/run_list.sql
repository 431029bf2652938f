-- Runs, newest first: of pipeline $1 (null: all), at most $2, or the one run $3 with its loads.
select r.run_id, r.pipeline, r.kind, r.target, r.parent_id, r.state, r.pending, nullif(r.moved_to, 0) as moved_to, rel.content_hash as release,
  r.created_at::text, r.started_at::text, r.finished_at::text,
  extract(epoch from coalesce(r.finished_at, now()) - r.started_at)::double precision as seconds, r.error,
  r.deadline_at::text as deadline,
  case when coalesce(r.finished_at, now()) > r.deadline_at then extract(epoch from coalesce(r.finished_at, now()) - r.deadline_at) end::double precision
    as missed_seconds
from sluice.run r join sluice.release rel on rel.release_id = r.release_id
where ($1::text is null or r.pipeline = $1) and ($3::bigint is null or r.run_id = $3 or r.parent_id = $3)
order by r.run_id desc limit $2::integer
