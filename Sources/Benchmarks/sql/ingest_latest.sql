-- The ingest job that ended last: how long its attempt took, and what it recorded.
select extract(epoch from o.finished_at - o.started_at)::double precision as seconds,
  (select count(*) from sluice.raw_object r where r.job_id = j.job_id) as objects,
  (select count(distinct r.xmin::text) from sluice.raw_object r where r.job_id = j.job_id) as checkpoints
from sluice.outcome o join sluice.job j on j.job_id = o.job_id
where j.kind = 'ingest' and o.status = 'done'
order by o.finished_at desc limit 1
