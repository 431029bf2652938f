-- The newest version of each of the files $5 of a stream that completed runs, or this run $4, have taken, and of those that were found
-- broken: a broken file is read again once it has changed, and so is one that returns to an earlier version. What was taken last has
-- the highest number. Costs what the files are that the source has now: not the stream's history, nor a file's earlier versions.
-- Index: raw_object_file, the primary key of sealed.
select o.request, o.origin_bytes, o.origin_sha256
from unnest($5::text[]) as asked (path)
cross join lateral (
  select o.request, o.origin_bytes, o.origin_sha256 from sluice.raw_object o
  where o.pipeline = $1 and o.source = $2 and o.stream = $3 and o.origin_sha256 is not null
    and hashtextextended(o.request, 0) = hashtextextended(asked.path, 0) and o.request = asked.path
    and (o.run_id = $4::bigint or o.broken is not null or exists (
      select from sluice.sealed s
      where s.pipeline = $1 and s.source = $2 and s.stream = $3 and s.run_id = o.run_id offset 0))
  order by o.object_id desc
  limit 1) o
