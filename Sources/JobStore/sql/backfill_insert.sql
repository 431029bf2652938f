-- Marks run $1 as a backfill of the streams $4 from $2 to before $3.
insert into sluice.backfill (run_id, range_from, range_to, streams) values ($1::bigint, $2, $3, $4::text[])
