-- The templates that env up made next to this database. Reads the catalog only.
select datname as name from pg_database where starts_with(datname, current_database() || '-template-') order by 1
