-- Releases, newest first.
select release_id, content_hash, state, label, engine, created_at::text from sluice.release order by release_id desc limit $1::integer
