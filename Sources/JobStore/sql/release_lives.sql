-- Whether a run may begin with release $1; with none (0): whether nothing was deployed. Runs after claim_lock, so that it stays so until
-- this transaction ends.
select case when $1::bigint = 0 then not exists (select from sluice.release where state = 'CURRENT')
  else exists (select from sluice.release where release_id = $1::bigint and state in ('CURRENT', 'CANARY')) end as takes_runs
