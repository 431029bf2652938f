-- Files that a run took more than once: a checkpoint that was passed twice.
select coalesce(sum(times - 1), 0)::bigint as repeated, count(*) as files
from (select count(*) as times from sluice.raw_object group by run_id, source, stream, request) as taken
