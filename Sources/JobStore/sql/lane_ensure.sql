-- Makes the lanes that jobs of these (pipeline, stage) pairs of the class $3 stand in; those that exist stay as they are.
-- Locks: only the rows it inserts. Index: the unique key of lane.
insert into sluice.lane (pipeline, stage, class)
select distinct p, s, $3::smallint from unnest($1::text[], $2::text[]) as asked (p, s)
order by p, s
on conflict (pipeline, stage, release_id, class) do nothing
