-- The releases that $1 may mean: a label (a rejected release lends it to others), a number, or how a hash begins (at least 4
-- digits); or those in the states $2, at most $3 of them, newest first. The best match first.
select r.release_id, r.content_hash, r.state, r.label, r.engine, r.definition_hash, r.engine_hash, r.engine_bytes, r.schema_number,
  array_to_string(r.reads, ',') as reads, array_to_string(r.migrates, ',') as migrates, array_to_string(r.writes, ',') as writes,
  r.ramp, extract(epoch from r.evidence)::double precision as evidence_seconds, r.looks, r.failed_starts, r.reason,
  r.created_at::text, r.changed_at::text, r.promoted_at::text, r.canary_since::text, r.removed_at::text,
  extract(epoch from clock_timestamp() - r.changed_at)::double precision as seconds_in_state
from sluice.release r
where ($1::text is null or r.label = $1 or r.release_id::text = $1 or length($1) >= 4 and r.content_hash like $1 || '%')
  and ($2::text[] is null or r.state = any ($2::text[]))
order by (r.label = $1 and r.state <> 'REJECTED') desc nulls last, (r.label = $1) desc nulls last, (r.release_id::text = $1) desc nulls last, r.release_id desc
limit $3::integer
