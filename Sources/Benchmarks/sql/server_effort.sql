-- What this database has committed, and how far the server's log has come.
select d.xact_commit as commits, pg_current_wal_insert_lsn() - '0/0'::pg_lsn as wal_bytes
from pg_stat_database d
where d.datname = current_database()
