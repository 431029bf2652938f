-- Says how many permits there are of the keys $1: $2 each. Writes only what changes.
-- Locks: the rows that it changes, in order of their key. Index: primary key of permit_limit.
insert into sluice.permit_limit (key, slots)
select a.key, a.slots from unnest($1::text[], $2::integer[]) as a (key, slots)
where not exists (select from sluice.permit_limit m where m.key = a.key and m.slots = a.slots)
order by a.key
on conflict (key) do update set slots = excluded.slots
