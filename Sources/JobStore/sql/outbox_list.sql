-- What became of the messages of run $1, oldest first.
select outbox_id, kind, channel, attempt, created_at::text, delivered_at::text, given_up_at::text, error
from sluice.outbox where run_id = $1::bigint order by outbox_id
