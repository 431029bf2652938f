-- The last run that sealed the stream $1, $2, $3 incrementally after the checkpoint of job $4 of run $5 was written: what that job
-- has read stands in the other run as well.
-- Index: the primary keys of sealed and mark.
select s.run_id from sluice.sealed s
where s.pipeline = $1 and s.source = $2 and s.stream = $3 and s.run_id <> $5::bigint and s.read = 'incremental'
  and s.sealed_at > (select m.at from sluice.mark m where m.job_id = $4::bigint and m.step = '')
order by s.sealed_at desc limit 1
