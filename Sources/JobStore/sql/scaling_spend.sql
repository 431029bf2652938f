-- Adds $1 worker-hours to this month (UTC). Returns what the month has cost, and the seconds until the next one.
-- Locks: the month's row.
insert into sluice.scaling_usage as u (month, hours)
values (date_trunc('month', now() at time zone 'UTC')::date, $1::double precision)
on conflict (month) do update set hours = u.hours + excluded.hours
returning u.hours,
  extract(epoch from date_trunc('month', now() at time zone 'UTC') + interval '1 month' - now() at time zone 'UTC')::double precision as renews_seconds
