-- How many records each object holds, once it has been read: $1 objects, $2 counts.
update sluice.raw_object o set records = c.n
from unnest($1::bigint[], $2::bigint[]) as c (object_id, n) where o.object_id = c.object_id
