-- A line that a job wrote, capped at 4,000 characters.
insert into sluice.job_log (job_id, epoch, at, level, message) values ($1::bigint, $2::bigint, clock_timestamp(), $3, left($4, 4000))
