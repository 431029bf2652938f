-- Whether the database knows the time zone $1 by this very name: its functions take abbreviations and inventions too.
select exists (select from pg_timezone_names where name = $1) as is_known
