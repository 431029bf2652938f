-- How many workers there are, draining ones included.
select count(*) as workers from sluice.beat where expires_at > now()
