-- Workers whose session lock is gone: each is revoked unless a beat follows within a second.
select b.worker_id, now()::text as seen_at
from sluice.beat b
where b.has_session_lock and not exists (
  select from pg_locks l
  where l.locktype = 'advisory' and l.classid = 7351904 and l.objid = b.worker_id::oid and l.objsubid = 2 and l.granted
    and l.database = (select oid from pg_database where datname = current_database()))
