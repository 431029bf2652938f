-- Makes the partitions of today and the two days to come, where they are missing. Returns whether each was made.
-- Locks: exclusively the outcome table, for a moment.
select sluice.outcome_day((((coalesce($1::timestamptz, now()) at time zone 'UTC')::date) + n)::date) as made
from generate_series(0, 2) as n
