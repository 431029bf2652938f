-- Sessions of this database whose snapshot is older than $1 seconds: vacuum may remove nothing that died since, so that every
-- hot table grows and claims slow down. Prepared transactions and replication slots can do the same.
select 'session' as holder, a.pid::text as name, coalesce(a.application_name, '') as application, a.usename::text as role,
  a.state, extract(epoch from now() - coalesce(a.xact_start, a.query_start))::double precision as seconds
from pg_stat_activity a
where (a.backend_xmin is not null or a.backend_xid is not null) and a.datname = current_database() and a.pid <> pg_backend_pid()
  and coalesce(a.xact_start, a.query_start) < now() - make_interval(secs => $1::double precision)
union all
select 'prepared transaction', p.gid, '', p.owner::text, 'prepared', extract(epoch from now() - p.prepared)::double precision
from pg_prepared_xacts p
where p.database = current_database() and p.prepared < now() - make_interval(secs => $1::double precision)
order by seconds desc
