-- The runs whose raw snapshot $3 of dataset $2 of pipeline $1 took, by stream, oldest first. Index: the primary key of consumed.
select c.source, c.stream, c.run_id, r.run_at::text as run_at
from sluice.consumed c join sluice.run r on r.run_id = c.run_id
where c.pipeline = $1 and c.dataset = $2 and c.snapshot_id = $3::uuid
order by c.run_id, c.source, c.stream
