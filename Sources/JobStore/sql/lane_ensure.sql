-- Makes the lanes that jobs of these (pipeline, stage) pairs stand in; those that exist stay as they are.
-- Locks: only the rows it inserts. Index: the unique key of lane.
insert into sluice.lane (pipeline, stage)
select distinct p, s from unnest($1::text[], $2::text[]) as asked (p, s)
order by p, s
on conflict (pipeline, stage, release_id, class) do nothing
