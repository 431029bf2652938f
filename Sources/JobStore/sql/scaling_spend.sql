-- Adds to this month (UTC) the worker-hours since they were counted last, by whatever process: of each worker that lives from then on, or from
-- its start, and $1 seconds at most: where no process has decided for longer, the rest is not counted. Returns what the month has cost, and the
-- seconds until the next one.
-- A crash of the server may lose a few seconds of it: its commit waits for no disk.
-- Locks: the month's row. Index: primary keys of beat and worker. Reads the workers that live, which are few.
with before as materialized (
  select max(u.counted_at) as counted_at from sluice.scaling_usage u
), passed as materialized (
  select coalesce(sum(least($1::double precision, greatest(0, extract(epoch from now() - greatest(w.started_at, p.counted_at))))), 0) / 3600 as hours
  from before p
  cross join sluice.beat b
  join sluice.worker w on w.worker_id = b.worker_id
  where p.counted_at is not null and b.expires_at > now() and not w.serves_one_run
)
insert into sluice.scaling_usage as u (month, hours, counted_at)
select date_trunc('month', now() at time zone 'UTC')::date, p.hours, now() from passed p
on conflict (month) do update set hours = u.hours + excluded.hours, counted_at = excluded.counted_at
returning u.hours,
  extract(epoch from date_trunc('month', now() at time zone 'UTC') + interval '1 month' - now() at time zone 'UTC')::double precision as renews_seconds,
  set_config('synchronous_commit', 'off', true)
