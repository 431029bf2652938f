-- The snapshot $3 took (or superseded: null) these runs of these streams.
insert into sluice.consumed (pipeline, dataset, source, stream, run_id, snapshot_id)
select $1, $2, s, t, r, case when taken then $3::uuid end
from unnest($4::text[], $5::text[], $6::bigint[], $7::boolean[]) as c (s, t, r, taken)
