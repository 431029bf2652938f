-- Whether a lane of pipeline $1 was ever made: jobs were enqueued for it. Index: lane_new, or a small table.
select exists (select from sluice.lane where pipeline = $1) as is_known
