-- Runs of release $1 whose work another release is to do: of a rejected one ($2) those that have not ended, of a canary those that
-- failed. With the run that does it by now.
select r.run_id, r.pipeline, r.state, r.moved_to from sluice.run r
where r.release_id = $1::bigint and (
  $2::boolean and r.state in ('queued', 'running') and r.kind = 'batch'
  or r.state = 'failed' and r.moved_to is null
    and r.created_at >= (select changed_at - interval '1 day' from sluice.release where release_id = $1::bigint))
order by r.run_id limit 1000
