-- The implicit release with this content, made when it is new. Returns whether it was.
insert into sluice.release (content_hash, state, label, engine) values ($1, 'IMPLICIT', $2, $3)
on conflict (content_hash) do update set engine = sluice.release.engine
returning release_id, (xmax = 0) as is_new
