-- What jobs are expected to need, at most $1 of them, the newest first: what a process that begins to decide starts from.
select kind, pipeline, size, seconds_mean, seconds_deviation, bytes_mean, bytes_deviation
from sluice.scaling_estimate
order by estimated_at desc
limit $1::bigint
