-- Runs up to $5 of which dataset $2 of pipeline $1 has not yet taken the streams ($3 source, $4 stream), oldest first.
-- Reads two indexes of the stream once, and a run's row only where the run is due.
-- Index: primary keys of sealed, consumed and run.
select s.run_id, asked.source, asked.stream, s.read, r.run_at
from unnest($3::text[], $4::text[]) as asked (source, stream)
cross join lateral (
  select coalesce(max(c.run_id), 0) as run_id from sluice.consumed c
  where c.pipeline = $1 and c.dataset = $2 and c.source = asked.source and c.stream = asked.stream and c.snapshot_id is not null
  offset 0) newest
cross join lateral (
  select s.run_id, s.read from sluice.sealed s
  where s.pipeline = $1 and s.source = asked.source and s.stream = asked.stream and s.run_id <= $5::bigint and not s.skipped
    -- A full read that came late is behind the newer one that the dataset has already.
    and (s.read <> 'full' or s.run_id >= newest.run_id)
    and not exists (
      select from sluice.consumed c
      where c.pipeline = $1 and c.dataset = $2 and c.source = asked.source and c.stream = asked.stream and c.run_id = s.run_id)
  offset 0) s
cross join lateral (select r.run_at::text as run_at from sluice.run r where r.run_id = s.run_id offset 0) r
order by s.run_id, asked.source, asked.stream
