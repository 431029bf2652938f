-- Whether worker $1 is asked to drain.
select drain_asked from sluice.beat where worker_id = $1::bigint
