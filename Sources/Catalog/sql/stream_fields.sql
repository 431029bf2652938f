-- The fields that a stream has ever had, in the order in which they were first seen.
select field, first_run, last_run from sluice.stream_field
where pipeline = $1 and source = $2 and stream = $3 order by position, field
