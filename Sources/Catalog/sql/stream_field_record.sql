-- The fields $4 were seen in run $5.
insert into sluice.stream_field (pipeline, source, stream, field, position, first_run, last_run)
select $1, $2, $3, f, n + coalesce((select max(position) from sluice.stream_field
  where pipeline = $1 and source = $2 and stream = $3), 0), $5::bigint, $5::bigint
from unnest($4::text[]) with ordinality as seen (f, n)
on conflict (pipeline, source, stream, field) do update set last_run = greatest(sluice.stream_field.last_run, excluded.last_run)
