-- The files of release $1 and its content hash.
select f.path, f.content, r.content_hash
from sluice.release r join sluice.release_file f on f.release_id = r.release_id
where r.release_id = $1::bigint order by f.path
