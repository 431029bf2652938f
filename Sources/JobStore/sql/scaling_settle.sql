-- Stores predictions next to what came: $1 jobs, $2 kinds, $3 releases, $4 what each was based on, then seconds ($5 mean, $6 standard deviation,
-- $7 the highest expected, $8 actual) and bytes ($9, $10, $11, $12; an actual one is null where it was not measured), $13 how many attempts
-- each stands for, and what the deviations were multiplied by ($14 of seconds, $15 of bytes).
-- Locks: only the rows it inserts.
insert into sluice.scaling_prediction (
  job_id, kind, release_id, basis, seconds_mean, seconds_deviation, seconds_high, seconds_actual,
  bytes_mean, bytes_deviation, bytes_high, bytes_actual, stands_for, seconds_width, bytes_width)
select * from unnest(
  $1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::double precision[], $6::double precision[], $7::double precision[],
  $8::double precision[], $9::double precision[], $10::double precision[], $11::double precision[], $12::double precision[],
  $13::double precision[], $14::double precision[], $15::double precision[])
