-- Forgets the marks of jobs that have ended, so that only those that live are asked for at each claim.
-- Locks: the rows it deletes. Index: primary keys.
delete from sluice.suspect s
where not exists (select from sluice.lease l where l.job_id = s.job_id)
  and not exists (select from sluice.later t where t.job_id = s.job_id)
  and not exists (
    select from sluice.job j join sluice.ready r on r.lane_id = j.lane_id and r.job_id = j.job_id where j.job_id = s.job_id)
