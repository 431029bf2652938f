-- Ends the ownership of worker $1 when it has not beaten since $2 and its session lock is still gone.
delete from sluice.beat b
where b.worker_id = $1::bigint and b.beat_at < $2::timestamptz and not exists (
  select from pg_locks l
  where l.locktype = 'advisory' and l.classid = 7351904 and l.objid = b.worker_id::oid and l.objsubid = 2 and l.granted
    and l.database = (select oid from pg_database where datname = current_database()))
returning b.worker_id
