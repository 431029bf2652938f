-- What says at once that release $1 is worse than release $2, since it came into its state: failures because of a checkpoint that
-- cannot be read, or of a contract that the other release keeps; and runs that failed on it and succeeded on the other, to which
-- they were moved.
with since as (
  select changed_at as at from sluice.release where release_id = $1::bigint
), dead as (
  select r.release_id, j.job_id, j.label, o.detail ->> 'code' as code
  from sluice.outcome o cross join since
  join sluice.job j on j.job_id = o.job_id
  join sluice.run r on r.run_id = j.run_id
  where o.finished_at >= since.at and o.status = 'dead' and r.release_id in ($1::bigint, $2::bigint)
)
select 'unreadable' as alarm, d.label, null::bigint as run_id from dead d
where d.release_id = $1::bigint and d.code = 'checkpoint_unreadable'
union all
select 'contract', d.label, null from dead d
where d.release_id = $1::bigint and d.code in ('stop_over', 'check_failed', 'key_null', 'key_repeated', 'schema_drift')
  and not exists (select from dead o where o.release_id = $2::bigint and o.label = d.label and o.code = d.code)
union all
select 'moved', f.pipeline, f.run_id from sluice.run f cross join since join sluice.run t on t.run_id = f.moved_to
where f.release_id = $1::bigint and f.state = 'failed' and f.created_at >= since.at and t.state = 'succeeded'
limit 10
