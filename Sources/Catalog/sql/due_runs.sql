-- Runs up to $4 of which dataset $2 has not yet taken the streams $3 ("source.stream"), oldest first.
-- Index: primary keys of sealed and consumed.
select s.run_id, s.source, s.stream, s.read, r.run_at::text as run_at
from sluice.sealed s join sluice.run r on r.run_id = s.run_id
where s.pipeline = $1 and s.source || '.' || s.stream = any ($3::text[]) and s.run_id <= $4::bigint and not s.skipped
  and not exists (
    select from sluice.consumed c
    where c.pipeline = s.pipeline and c.dataset = $2 and c.source = s.source and c.stream = s.stream
      and c.run_id = s.run_id)
  -- A full read that came late is behind the newer one that the dataset has already.
  and not (s.read = 'full' and exists (
    select from sluice.consumed c
    where c.pipeline = s.pipeline and c.dataset = $2 and c.source = s.source and c.stream = s.stream
      and c.run_id > s.run_id and c.snapshot_id is not null))
order by s.run_id, s.source, s.stream
