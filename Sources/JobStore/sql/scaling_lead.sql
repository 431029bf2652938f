-- Takes or renews the lease of the one process that decides how many workers there are: $1 its name, unique among processes; $2 seconds.
-- No row: another process has it. The epoch grows when another process begins. A lease that ends later than any process asks for was dated
-- by a clock that has been set back.
-- Locks: the one row.
insert into sluice.scaling_lead as l (epoch, holder, until)
values (1, $1::text, coalesce($3::timestamptz, now()) + make_interval(secs => $2::double precision))
on conflict (is_only) do update
set epoch = l.epoch + case when l.holder = excluded.holder then 0 else 1 end, holder = excluded.holder, until = excluded.until
where l.holder = excluded.holder or l.until <= coalesce($3::timestamptz, now()) or l.until > excluded.until + (excluded.until - coalesce($3::timestamptz, now()))
returning l.epoch, l.history
