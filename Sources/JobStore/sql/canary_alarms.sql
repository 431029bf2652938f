-- What says at once that release $1 is worse than release $2, since $3: failures because of a checkpoint that
-- cannot be read, or of a contract that the other release keeps; and runs that failed on it and succeeded on the other, to which
-- they were moved. Reads the partitions of outcome since then.
with ended as materialized (
  select r.release_id, j.label, o.status, o.detail ->> 'code' as code
  from sluice.outcome o
  join sluice.job j on j.job_id = o.job_id
  join sluice.run r on r.run_id = j.run_id
  where o.finished_at >= $3::timestamptz and o.status in ('done', 'dead') and r.release_id in ($1::bigint, $2::bigint)
)
select 'unreadable' as alarm, d.label, null::bigint as run_id from ended d
where d.release_id = $1::bigint and d.status = 'dead' and d.code = 'checkpoint_unreadable'
union all
select 'contract', d.label, null from ended d
where d.release_id = $1::bigint and d.status = 'dead' and d.code in ('stop_over', 'check_failed', 'key_null', 'key_repeated', 'schema_drift')
  and exists (select from ended o where o.release_id = $2::bigint and o.label = d.label and o.status = 'done')
  and not exists (select from ended o where o.release_id = $2::bigint and o.label = d.label and o.status = 'dead')
union all
-- A load against the load of the same target.
select 'moved', f.pipeline, f.run_id from sluice.run f
join sluice.run t on f.kind = 'batch' and t.run_id = f.moved_to or f.kind = 'load' and t.parent_id = f.moved_to and t.target = f.target
where f.release_id = $1::bigint and f.moved_to <> 0 and f.state = 'failed' and f.created_at >= $3::timestamptz and t.state = 'succeeded'
union all
-- What it wrote itself, and does not read: nobody goes on with that.
select 'unreadable', min(l.pipeline || '/' || l.stage), null
from sluice.lane l join sluice.open_work w on w.lane_id = l.lane_id and w.was_claimed
join sluice.mark m on m.job_id = w.job_id and m.step = ''
join sluice.release x on x.release_id = l.engine_id
where l.engine_id = $1::bigint and m.format <> all (x.reads || x.migrates)
having count(*) > 0
limit 10
