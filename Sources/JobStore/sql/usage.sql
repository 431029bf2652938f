-- When the system was last used, and the hours that its attempts took. Reads 20 runs and at most $1 attempts: hours is null where there are
-- more. Index: primary key of run.
with recent as materialized (
  select created_at, started_at, finished_at from sluice.run order by run_id desc limit 20
), attempt as materialized (
  select finished_at - started_at as spent from sluice.outcome limit $1::bigint + 1
)
select (select max(created_at) from recent)::text as last_run_at,
  (select max(greatest(created_at, started_at, finished_at)) from recent)::text as last_use_at,
  (select case when count(*) <= $1::bigint then coalesce(sum(extract(epoch from spent)), 0)
      + (select coalesce(sum(extract(epoch from now() - claimed_at)), 0) from sluice.lease) end
    from attempt)::double precision / 3600 as hours
