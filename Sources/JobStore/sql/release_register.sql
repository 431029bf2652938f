-- The implicit release with this content, made when it is new. Returns whether its files are to be written. Its time of retention
-- begins again, so that it is not removed before the run that it is registered for.
-- Locks: the release's row. Index: the unique keys of release and release_file.
insert into sluice.release as r (content_hash, state, label, engine) values ($1, 'IMPLICIT', $2, $3)
on conflict (content_hash) do update set changed_at = now()
returning release_id, not exists (select from sluice.release_file f where f.release_id = r.release_id) as lacks_files
