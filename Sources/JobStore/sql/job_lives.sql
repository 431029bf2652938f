-- Whether a job of the kind $2 and the label $3, or a part of one (job_split, whose labels begin with the job's and a space), lives in one of
-- the runs $1 that have not ended: a row where one does.
-- Reads the jobs of the runs that have not ended, and where each of them stands; what is done elsewhere costs nothing.
-- Locks: none. Index: the primary key of run, job_run, then primary keys. One exists over all places, so that each is entered by the
-- job's key and never hashed.
select j.job_id from sluice.job j
where j.run_id = any (array(
    select r.run_id from sluice.run r where r.run_id = any ($1::bigint[]) and r.state in ('queued', 'running')))
  and j.kind = $2::text and (j.label = $3::text or starts_with(j.label, $3::text || ' ')) and exists (
    select from sluice.lease l where l.job_id = j.job_id
    union all
    select from sluice.ready r where r.lane_id = j.lane_id and r.job_id = j.job_id
    union all
    select from sluice.later t where t.job_id = j.job_id
    union all
    select from sluice.blocked b where b.job_id = j.job_id)
limit 1
