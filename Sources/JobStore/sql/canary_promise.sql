-- How many attempts of each stage of each pipeline are to be expected within $1 seconds: as many as in the last such time, or in the
-- mean of the last day. Of runs that are no backfills. Reads the partitions of outcome since then.
with time as (select $1::double precision as seconds, greatest($1::double precision, 86400) as past)
select r.pipeline, j.kind, greatest(
    count(*) * min(t.seconds) / min(t.past),
    count(*) filter (where o.finished_at > now() - make_interval(secs => t.seconds)))::double precision as promised
from sluice.outcome o
join sluice.job j on j.job_id = o.job_id
join sluice.run r on r.run_id = j.run_id
cross join time t
where o.finished_at > now() - make_interval(secs => t.past) and o.status in ('done', 'retried', 'dead', 'crashed')
  and not exists (select from sluice.backfill b where b.run_id in (r.run_id, r.parent_id))
group by r.pipeline, j.kind
