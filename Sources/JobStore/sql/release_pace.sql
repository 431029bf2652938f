-- How long the jobs that pinned release $1 has still take, of each kind: their number, and the mean seconds of that kind's attempts
-- that were done in the last day (null where there was none).
select j.kind, count(*) as jobs, t.seconds
from (select w.job_id, w.lane_id from sluice.open_work w union all select b.job_id, b.lane_id from sluice.blocked b) w
join sluice.lane l on l.lane_id = w.lane_id and $1::bigint in (l.engine_id, l.release_id)
join sluice.job j on j.job_id = w.job_id
left join lateral (
  select avg(extract(epoch from o.finished_at - o.started_at))::double precision as seconds from (
    select o.started_at, o.finished_at from sluice.outcome o join sluice.job k on k.job_id = o.job_id
    where o.status = 'done' and o.finished_at > now() - interval '1 day' and k.kind = j.kind
    order by o.finished_at desc limit 200) o
) t on true
group by j.kind, t.seconds order by j.kind
