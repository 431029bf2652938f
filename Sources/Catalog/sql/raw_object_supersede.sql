-- Takes what earlier attempts of job $1, before epoch $2, recorded out of what is due, because run $3 has read the stream since: files
-- that it or another one took as well, unknown to each other, and everything that is no file. Files that other jobs of run $4 recorded of the stream
-- ($5 pipeline, $6 source, $7 stream) too: they are parts of one list, and due together. Written in a transaction fenced by the job's lease.
-- Locks: the objects' rows. Index: raw_object_run, raw_object_file.
update sluice.raw_object o set broken = 'superseded: run ' || $3::bigint || ' has read the stream since'
where o.run_id = $4::bigint and o.broken is null
  and (o.job_id = $1::bigint and o.epoch < $2::bigint
    or o.job_id <> $1::bigint and o.origin_sha256 is not null and o.pipeline = $5 and o.source = $6 and o.stream = $7)
  and (o.origin_sha256 is null or exists (
    select from sluice.raw_object t join sluice.sealed s
      on s.pipeline = t.pipeline and s.source = t.source and s.stream = t.stream and s.run_id = t.run_id and not s.skipped
    where t.pipeline = o.pipeline and t.source = o.source and t.stream = o.stream and t.run_id <> o.run_id
      -- Taken after it, or before it by a run that was not whole yet, so that it was not known.
      and (t.object_id > o.object_id or s.sealed_at > o.fetched_at)
      and hashtextextended(t.request, 0) = hashtextextended(o.request, 0) and t.request = o.request and t.origin_sha256 = o.origin_sha256 and t.broken is null))
