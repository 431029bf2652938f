-- Keeps when the runs $1 are expected to end, in seconds since 1970: $2 early, $3 mean, $4 late. The first forecast of a run stays. $5 now.
-- Locks: the rows it inserts.
insert into sluice.finish_forecast (run_id, made_at, early_at, mean_at, late_at)
select f.run_id, coalesce($5::timestamptz, now()), to_timestamp(f.early), to_timestamp(f.mean), to_timestamp(f.late)
from unnest($1::bigint[], $2::double precision[], $3::double precision[], $4::double precision[]) as f (run_id, early, mean, late)
on conflict (run_id) do nothing
