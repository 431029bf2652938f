-- What the queue asks for now: whether a job is ready in a lane that is not paused, whether one is leased, whether one is leased by a worker
-- that beats no more, and in how many seconds the earliest put-off one is due (null: there is none).
-- For a look at a queue from outside, over a session of its own: only columns of the first migration, so that it runs on a schema that a
-- later engine has not migrated yet.
-- Locks: none. Index: primary keys of ready, lane and beat; later_due. lease has the running jobs only.
select
  exists (select from sluice.ready r join sluice.lane l on l.lane_id = r.lane_id where not l.paused) as is_ready,
  exists (select from sluice.lease) as is_running,
  exists (
    select from sluice.lease e
    where not exists (select from sluice.beat b where b.worker_id = e.worker_id and b.expires_at > now())) as is_lost,
  (select extract(epoch from q.run_at - now())::double precision
   from sluice.later q join sluice.lane l on l.lane_id = q.lane_id
   where not l.paused order by q.run_at limit 1) as due_seconds
