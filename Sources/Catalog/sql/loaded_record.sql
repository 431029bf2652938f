-- What a target's ledger confirmed, one row for each element of $1 to $8. $11 says that this load is a new one: it replaces what an
-- earlier load of the same snapshot recorded; otherwise a row that exists stays.
insert into sluice.loaded as l
  (snapshot_id, target, table_name, status, rows, inserted, updated, deleted, ticket, run_id, at)
select c.*, $9::bigint, $10::bigint, clock_timestamp()
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[]) as c
on conflict (snapshot_id, target, table_name) do update
  set status = excluded.status, rows = excluded.rows, inserted = excluded.inserted, updated = excluded.updated,
    deleted = excluded.deleted, ticket = excluded.ticket, run_id = excluded.run_id, at = excluded.at
  where $11::boolean and l.ticket < excluded.ticket
