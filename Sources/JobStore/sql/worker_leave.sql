-- A worker that ends in good order takes its beat along; leases that it still holds are the reaper's.
delete from sluice.beat where worker_id = $1::bigint
