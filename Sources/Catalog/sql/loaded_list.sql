-- What targets confirmed of the snapshots of run $1, and of the older ones that it loaded again itself.
select l.snapshot_id::text, s.dataset, l.target, l.table_name, l.status, l.rows, l.inserted, l.updated, l.deleted,
  l.at::text
from sluice.loaded l join sluice.snapshot s on s.snapshot_id = l.snapshot_id
where s.run_id = $1::bigint or l.run_id = $1::bigint order by l.at, s.number
