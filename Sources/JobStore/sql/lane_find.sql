-- The lane of pipeline $1, stage $2 and class $3 that any release may claim from. Index: the unique key of lane.
select lane_id from sluice.lane where pipeline = $1 and stage = $2 and class = $3::smallint and release_id = 0
