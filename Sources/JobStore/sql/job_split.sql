-- Gives a part of the work of job $1 (epoch $2), which has a run, to new jobs of its run: one for each checkpoint state in $4, with the
-- label in $5. They have its kind, payload, lane, limits and attempts. The checkpoint, of the format $3, is what a part is known by: the
-- job begins with the epoch 1, as one that was claimed before, so that no engine claims it without the checkpoint or takes its lane
-- without reading the format. What waits for the job waits for each of them as well.
-- Returns the lease's cancellation flag, its lane and the number of the new jobs; nothing when (job, epoch) no longer holds. Of a job that
-- is to be cancelled nothing is split.
-- Runs after run_lock_shared: a retry that blocks a dependent at the same time must count the new jobs.
-- Locks: the lease row, then blocked rows in order of their number, then the run row. Index: primary keys, edge (upstream_id).
with held as materialized (
  select l.job_id, l.lane_id, l.run_id, l.cancelled from sluice.lease l
  where l.job_id = $1::bigint and l.epoch = $2::bigint and l.run_id is not null
  for update
), asked as materialized (
  select n.job_id, n.state, n.label
  from (select nextval(pg_get_serial_sequence('sluice.job', 'job_id')) as job_id, s.state, s.label
        from (select state, label from unnest($4::text[], $5::text[]) with ordinality as u (state, label, place) order by place) s) n
  where exists (select from held h where not h.cancelled)
), written as (
  insert into sluice.job (job_id, run_id, lane_id, kind, label, payload, max_attempts, time_limit, created_at)
  overriding system value
  select a.job_id, j.run_id, j.lane_id, j.kind, a.label, j.payload, j.max_attempts, j.time_limit, coalesce($6::timestamptz, now())
  from asked a cross join sluice.job j where j.job_id = $1::bigint
), marked as (
  insert into sluice.mark (job_id, step, epoch, format, state, at)
  select job_id, '', 1, $3::text, state::jsonb, coalesce($6::timestamptz, clock_timestamp()) from asked
), startable as (
  insert into sluice.ready (lane_id, job_id, attempt, epoch, since)
  select h.lane_id, a.job_id, 0, 1, coalesce($6::timestamptz, now()) from asked a cross join held h order by a.job_id
), waits as (
  insert into sluice.edge (upstream_id, dependent_id)
  select a.job_id, e.dependent_id from asked a cross join sluice.edge e where e.upstream_id = $1::bigint
), waiting as materialized (
  select b.job_id from sluice.blocked b
  where b.job_id in (select e.dependent_id from sluice.edge e where e.upstream_id = $1::bigint)
    and exists (select from asked)
  order by b.job_id
  for update of b
), raised as (
  update sluice.blocked b set pending = b.pending + (select count(*)::integer from asked)
  from waiting w where b.job_id = w.job_id
  returning b.job_id
), grown as (
  update sluice.run r set pending = r.pending + (select count(*)::integer from asked)
  from held h
  where r.run_id = h.run_id and exists (select from asked) and (select count(*) from raised) >= 0
)
select h.cancelled, h.lane_id, (select count(*) from asked) as jobs from held h
