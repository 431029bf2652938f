-- No worker is started on host $1 from now on ($2), or again.
with gone as (delete from sluice.drained_host where host = $1 and not $2::boolean)
insert into sluice.drained_host (host, since) select $1, now() where $2::boolean on conflict (host) do nothing
