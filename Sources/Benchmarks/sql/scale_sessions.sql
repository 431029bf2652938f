-- The server's processes that work for others than this program on this database.
select pid from pg_stat_activity where datname = current_database() and application_name <> 'sluice-bench'
