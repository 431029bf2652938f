-- The backfills of pipeline $1 that began in the last $2 days. Index: run_recent.
select b.run_id from sluice.backfill b join sluice.run r on r.run_id = b.run_id
where r.pipeline = $1 and r.created_at > now() - make_interval(days => $2::integer)
