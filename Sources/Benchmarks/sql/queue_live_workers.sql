-- How many workers hold their lease.
select count(*) as workers from sluice.beat where expires_at > now() and not draining
