-- How many clients have a session in an environment that env up made next to this database. Reads the activity of the server only.
select count(*) as n from pg_stat_activity
where backend_type = 'client backend' and starts_with(datname, current_database() || '-env-')
