-- The attempts that ended after $1 (null: within the last hour) and by $2, at most $3 of them: how they ended, their seconds, their most
-- memory in bytes (null: not measured), their lane and pipeline, the code of their failure, the bytes of their input, and the release of their worker (0: none).
-- Locks: none. Index: that of finished_at of each day (outcome_time), primary key of job. Reads the ranges of pages of that time. Workers are few.
with ended as materialized (
  select o.job_id, o.epoch, o.status, o.worker_id, o.detail,
    greatest(0, extract(epoch from o.finished_at - o.started_at))::double precision as seconds
  from sluice.outcome o
  where o.finished_at > coalesce($1::timestamptz, now() - interval '1 hour') and o.finished_at <= $2::timestamptz
  limit $3::bigint
)
select e.job_id, e.epoch, e.status, e.seconds, (e.detail ->> 'peak_memory')::double precision as memory, j.kind, j.lane_id,
  e.detail ->> 'code' as code, (e.detail ->> 'total_bytes')::double precision as input, (select l.pipeline from sluice.lane l where l.lane_id = j.lane_id) as pipeline,
  coalesce(w.release_id, 0) as release_id
from ended e
left join lateral (select a.kind, a.lane_id from sluice.job a where a.job_id = e.job_id limit 1) j on true
left join sluice.worker w on w.worker_id = e.worker_id
