-- Deletes jobs $1 that ended and whose history goes: with their checkpoints, progress, edges and lines. Those of a run that has not
-- succeeded or been cancelled stay, and those that stand somewhere. Returns how many went.
-- Locks: the rows it deletes. Index: the primary keys, edge (both ways), job_log_job.
with gone as (
  delete from sluice.job j
  where j.job_id = any ($1::bigint[])
    and (j.run_id is null or exists (
      select from sluice.run r where r.run_id = j.run_id and r.state in ('succeeded', 'cancelled')))
    and not exists (select from sluice.ready r where r.lane_id = j.lane_id and r.job_id = j.job_id)
    and not exists (select from sluice.lease l where l.job_id = j.job_id)
    and not exists (select from sluice.later t where t.job_id = j.job_id)
    and not exists (select from sluice.blocked b where b.job_id = j.job_id)
    and not exists (select from sluice.dead d where d.job_id = j.job_id and not d.cancelled)
  returning j.job_id
), undead as (
  delete from sluice.dead d using gone g where d.job_id = g.job_id
), unmarked as (
  delete from sluice.mark m using gone g where m.job_id = g.job_id
), still as (
  delete from sluice.progress p using gone g where p.job_id = g.job_id
), unbound as (
  delete from sluice.edge e using gone g where e.upstream_id = g.job_id or e.dependent_id = g.job_id
), silent as (
  delete from sluice.job_log o using gone g where o.job_id = g.job_id
)
select count(*) as jobs from gone
