-- Makes the lanes that jobs of these (pipeline $1, stage $2) pairs of the class $3 stand in; those that exist stay as they
-- are, but take the weight $4 where one is given. A lane made while its pipeline is paused is paused too.
-- Locks: only the rows it inserts or changes. Index: the unique key of lane.
insert into sluice.lane (pipeline, stage, class, weight, paused)
select distinct p, s, $3::smallint, coalesce($4::real, 1),
  coalesce((select bool_and(o.paused) from sluice.lane o where o.pipeline = p), false)
from unnest($1::text[], $2::text[]) as asked (p, s)
order by p, s
on conflict (pipeline, stage, release_id, class) do update set weight = excluded.weight
where $4::real is not null and sluice.lane.weight <> excluded.weight
