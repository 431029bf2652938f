-- What the queue asks of workers that serve the stages $1 (null: any): whether a job is ready in a lane that is not paused, whether one is
-- leased, whether one is leased by a worker that beats no more, and in how many seconds the earliest put-off one is due (null: there is none).
-- For a look at a queue from outside, over a session of its own: only columns of the first migration, so that it runs on a schema that a
-- later engine has not migrated yet.
-- Locks: none. Index: primary keys of ready, lane and beat; later_due. lease has the running jobs only.
with lanes as materialized (
  select l.lane_id, l.paused from sluice.lane l where $1::text[] is null or l.stage = any ($1::text[])
)
select
  exists (
    select from lanes l cross join lateral (select from sluice.ready r where r.lane_id = l.lane_id limit 1) r
    where not l.paused) as is_ready,
  exists (select from sluice.lease e join lanes l on l.lane_id = e.lane_id) as is_running,
  exists (
    select from sluice.lease e join lanes l on l.lane_id = e.lane_id
    where not exists (select from sluice.beat b where b.worker_id = e.worker_id and b.expires_at > now())) as is_lost,
  (select extract(epoch from min(q.run_at) - now())::double precision
   from sluice.later q join lanes l on l.lane_id = q.lane_id where not l.paused) as due_seconds
