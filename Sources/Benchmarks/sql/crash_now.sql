-- The time by which a stroke is known.
select clock_timestamp() as at
