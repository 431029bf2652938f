-- One file of a release; written once.
insert into sluice.release_file (release_id, path, content) values ($1::bigint, $2, $3::bytea)
on conflict (release_id, path) do nothing
