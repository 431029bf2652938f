-- The lane for new jobs of pipeline $1, stage $2 and class $3 that any release may claim from. Index: lane_new.
select lane_id from sluice.lane where pipeline = $1 and stage = $2 and class = $3::smallint and release_id = 0 and takes_new
