-- Deletes the files of release $1.
-- Locks: the rows it deletes. Index: the primary key of release_file.
delete from sluice.release_file where release_id = $1::bigint
