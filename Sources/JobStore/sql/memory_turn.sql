-- Takes the next turn on the memory of the host of worker $1, if it is still turn $2: what the worker knows of its host's memory then still
-- holds, because each claim on the host takes a turn. The claim in the same transaction gives nothing where this was another worker's.
-- Locks: the host's row, until the claim commits. Index: primary keys of worker and memory_host.
update sluice.memory_host h set turn = h.turn + 1, worker_id = $1::bigint
from sluice.worker w
where w.worker_id = $1::bigint and h.host = w.host and h.turn = $2::bigint
