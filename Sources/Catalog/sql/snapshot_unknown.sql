-- Those of $1 that are no snapshot of any dataset. Index: snapshot_pkey.
select u.id::text as snapshot_id
from unnest($1::uuid[]) as u (id)
where not exists (select from sluice.snapshot s where s.snapshot_id = u.id)
