-- Remembers what was told of the run $1: by how many seconds it will be late ($2; 0: in time again), and whether its deadline has passed ($3). $4 now.
-- Locks: the row it writes.
insert into sluice.late_warning (run_id, told_at, late_seconds, missed)
values ($1::bigint, coalesce($4::timestamptz, now()), $2::double precision, $3::boolean)
on conflict (run_id) do update set told_at = excluded.told_at, late_seconds = excluded.late_seconds, missed = excluded.missed
