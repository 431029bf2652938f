-- Makes the lanes that new jobs of these (pipeline $1, stage $2) pairs of the class $3 stand in; those that exist stay as they
-- are, but take the weight $4 where one is given. A lane made while its pipeline is paused is paused too.
-- $5 is the release whose definition their jobs keep and whose engine does them (0: any), $6 whether they go to the next one.
-- Locks: only the rows it inserts or changes. Index: lane_new.
insert into sluice.lane (pipeline, stage, class, weight, paused, release_id, engine_id, hands_over)
select distinct p, s, $3::smallint, coalesce($4::real, 1),
  coalesce((select bool_and(o.paused) from sluice.lane o where o.pipeline = p), false), $5::bigint, $5::bigint, $6::boolean
from unnest($1::text[], $2::text[]) as asked (p, s)
order by p, s
on conflict (pipeline, stage, release_id, class) where takes_new do update set weight = excluded.weight
where $4::real is not null and sluice.lane.weight <> excluded.weight
