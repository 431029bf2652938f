-- Puts $1 ready jobs into the peer's queue.
insert into peer.ready (lane_id, job_id, attempt, epoch) select 1, i, 0, 0 from generate_series(1, $1::bigint) as i
