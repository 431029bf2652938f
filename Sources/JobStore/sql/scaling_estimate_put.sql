-- Stores what jobs are expected to need, by kind ($3) and pipeline ($4; empty: of all): seconds and bytes, each with its mean and standard deviation.
-- The process $1 with epoch $2 decides; another one's estimates are not stored. Those that were not renewed for $9 seconds go.
-- Locks: the rows that it writes, in order. Index: primary key.
with leads as materialized (
  select from sluice.scaling_lead where holder = $1::text and epoch = $2::bigint and until > now()
), old as (
  delete from sluice.scaling_estimate e
  where exists (select from leads) and e.estimated_at < now() - make_interval(secs => $9::double precision)
    and not exists (select from unnest($3::text[], $4::text[]) as n (kind, pipeline) where n.kind = e.kind and n.pipeline = e.pipeline)
)
insert into sluice.scaling_estimate (kind, pipeline, seconds_mean, seconds_deviation, bytes_mean, bytes_deviation)
select n.kind, n.pipeline, n.seconds_mean::double precision, n.seconds_deviation::double precision, n.bytes_mean::double precision,
  n.bytes_deviation::double precision
from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
  as n (kind, pipeline, seconds_mean, seconds_deviation, bytes_mean, bytes_deviation)
where exists (select from leads)
order by n.kind, n.pipeline
on conflict (kind, pipeline) do update
set seconds_mean = excluded.seconds_mean, seconds_deviation = excluded.seconds_deviation, bytes_mean = excluded.bytes_mean,
  bytes_deviation = excluded.bytes_deviation, estimated_at = now()
