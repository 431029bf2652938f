-- Writes a job's checkpoint: $1 job, $2 epoch, $3 format, $4 state. Returns nothing when the lease is lost; else whether it is another
-- one than that of the format $6 and the state $7, which the attempt has begun with (null: with none).
-- Locks: the lease row for key share, so that no one ends the lease before this transaction commits; then the mark.
with held as materialized (
  select job_id from sluice.lease where job_id = $1::bigint and epoch = $2::bigint for key share
)
insert into sluice.mark (job_id, step, epoch, format, state, at)
select job_id, '', $2::bigint, $3::text, $4::jsonb, coalesce($5::timestamptz, clock_timestamp()) from held
on conflict (job_id, step) do update
set epoch = excluded.epoch, format = excluded.format, state = excluded.state, at = excluded.at
where sluice.mark.epoch <= excluded.epoch
returning job_id, format is distinct from $6::text or state is distinct from $7::jsonb as moved
