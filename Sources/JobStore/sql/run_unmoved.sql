-- Batches of release $1 whose work another release is to do: of a rejected one ($2) those that have not ended, and of it and a canary
-- those that failed since it was a canary, or of which a load did. With the run that does it by now. Backfills go on where they are.
-- Index: run_release for those that have not ended.
select r.run_id, r.pipeline, r.state, r.moved_to
from sluice.run r join sluice.release x on x.release_id = r.release_id
where r.release_id = $1::bigint and r.kind = 'batch' and not exists (select from sluice.backfill b where b.run_id = r.run_id)
  and ($2::boolean and r.state in ('queued', 'running')
    or r.moved_to is null and r.created_at >= x.canary_since and (r.state = 'failed' or exists (
      select from sluice.run l where l.parent_id = r.run_id and l.state = 'failed')))
order by r.run_id limit 1000
