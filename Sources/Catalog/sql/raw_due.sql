-- Raw that a dataset is still to take because its run failed, by pipeline and stream.
select s.pipeline, s.source, s.stream, count(*) as runs, min(s.sealed_at)::text as oldest
from sluice.sealed s join sluice.run r on r.run_id = s.run_id
where not s.skipped and r.state = 'failed' and not exists (
  select from sluice.consumed c
  where c.pipeline = s.pipeline and c.source = s.source and c.stream = s.stream and c.run_id = s.run_id)
group by s.pipeline, s.source, s.stream order by 1, 2, 3
