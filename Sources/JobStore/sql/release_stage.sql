-- A release as STAGED: $1 content hash, $2 label, $3 engine, $4 and $5 hashes of definition and engine, $6 bytes of the engine,
-- $7 newest migration that it knows, $8 formats that it reads, $9 migrates, $10 writes. One that had ended is staged again; one
-- that has work or is coming up keeps its state. Returns which it is, and
-- whether its files are to be written: it is new, or they were removed or lost.
-- Locks: the release's row. Index: the unique keys of release.
insert into sluice.release as r (content_hash, state, label, engine, definition_hash, engine_hash, engine_bytes, schema_number,
  reads, migrates, writes)
values ($1, 'STAGED', $2, $3, $4, $5, $6::bigint, $7::integer, $8::text[], $9::text[], $10::text[])
on conflict (content_hash) do update set
  state = case when r.state in ('REJECTED', 'DRAINED', 'RETIRED') then 'STAGED' else r.state end,
  changed_at = case when r.state in ('STAGED', 'REJECTED', 'DRAINED', 'RETIRED') then now() else r.changed_at end,
  label = coalesce(excluded.label, r.label), failed_starts = 0, reason = null, removed_at = null,
  canary_since = case when r.state in ('REJECTED', 'DRAINED', 'RETIRED') then null else r.canary_since end
returning release_id, not exists (select from sluice.release_file f where f.release_id = r.release_id) as lacks_files
