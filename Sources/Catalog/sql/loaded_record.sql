-- What a target's ledger confirmed. Saying it again changes nothing.
insert into sluice.loaded (snapshot_id, target, table_name, status, rows, inserted, updated, deleted, ticket, run_id, at)
values ($1::uuid, $2, $3, $4, $5::bigint, $6::bigint, $7::bigint, $8::bigint, $9::bigint, $10::bigint, clock_timestamp())
on conflict (snapshot_id, target, table_name) do nothing
