-- Reserves the next $2 requests of the key $1, $3 seconds apart from each other and from whoever asked before. Returns how many
-- seconds are left until the first of them. Behind a clock that was set back nobody waits longer than a thousand requests take.
-- Locks: the key's row. Index: primary key of rate.
insert into sluice.rate as r (key, next_at)
values ($1, coalesce($4::timestamptz, clock_timestamp()) + make_interval(secs => $2::integer * $3::double precision))
on conflict (key) do update
set next_at = least(greatest(r.next_at, coalesce($4::timestamptz, clock_timestamp())),
    coalesce($4::timestamptz, clock_timestamp()) + make_interval(secs => 60 + 1000 * $3::double precision))
  + make_interval(secs => $2::integer * $3::double precision)
returning greatest(0, extract(epoch from r.next_at - coalesce($4::timestamptz, clock_timestamp()))::double precision
  - $2::integer * $3::double precision) as seconds
