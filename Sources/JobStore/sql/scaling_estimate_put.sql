-- Stores what jobs are expected to need, by kind ($3), pipeline ($4; empty: of all) and size of the input ($5, the exponent of 2; -1: of all): seconds
-- and bytes, each with its mean and standard deviation. The process $1 with epoch $2 decides; another one's estimates are not stored. Those that
-- were not renewed for $10 seconds go.
-- Locks: the rows that it writes, in order. Index: primary key.
with leads as materialized (
  select from sluice.scaling_lead where holder = $1::text and epoch = $2::bigint and until > now()
), fresh as materialized (
  select n.kind, n.pipeline, n.size::integer as size, n.seconds_mean::double precision as seconds_mean,
    n.seconds_deviation::double precision as seconds_deviation, n.bytes_mean::double precision as bytes_mean,
    n.bytes_deviation::double precision as bytes_deviation
  from unnest($3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[])
    as n (kind, pipeline, size, seconds_mean, seconds_deviation, bytes_mean, bytes_deviation)
  where exists (select from leads)
), old as (
  delete from sluice.scaling_estimate e
  where exists (select from leads) and e.estimated_at < now() - make_interval(secs => $10::double precision)
    and not exists (select from fresh n where n.kind = e.kind and n.pipeline = e.pipeline and n.size = e.size)
)
insert into sluice.scaling_estimate (kind, pipeline, size, seconds_mean, seconds_deviation, bytes_mean, bytes_deviation)
select n.kind, n.pipeline, n.size, n.seconds_mean, n.seconds_deviation, n.bytes_mean, n.bytes_deviation from fresh n
order by n.kind, n.pipeline, n.size
on conflict (kind, pipeline, size) do update
set seconds_mean = excluded.seconds_mean, seconds_deviation = excluded.seconds_deviation, bytes_mean = excluded.bytes_mean,
  bytes_deviation = excluded.bytes_deviation, estimated_at = now()
