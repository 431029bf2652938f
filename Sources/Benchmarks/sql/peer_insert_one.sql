-- The floor of an enqueue: one ready row.
insert into peer.ready (lane_id, job_id, attempt, epoch) values (1, $1::bigint, 0, 0)
