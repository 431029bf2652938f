-- The last run but $4 that sealed the stream $1, $2, $3 incrementally after $5; a run that was skipped brought nothing, and the
-- backfills $6 read something else.
-- Index: sealed_time.
select s.run_id from sluice.sealed s
where s.pipeline = $1 and s.source = $2 and s.stream = $3 and s.run_id <> $4::bigint and s.read = 'incremental'
  and s.sealed_at > $5::timestamptz and not s.skipped and s.run_id <> all ($6::bigint[])
order by s.sealed_at desc limit 1
