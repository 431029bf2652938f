-- Ends the ownership of workers whose lease has run out.
delete from sluice.beat where expires_at < coalesce($1::timestamptz, now()) returning worker_id
