-- Which job waits for which: $1 upstream ids, $2 dependent ids.
insert into sluice.edge (upstream_id, dependent_id)
select u, d from unnest($1::bigint[], $2::bigint[]) as e (u, d)
