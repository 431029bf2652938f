-- Where the last $2 jobs of each of the runs $1 stand that have not ended; one that runs with its seconds and how far it is (0 to 1), one that waits
-- for a time with the seconds until then. $3 now.
-- Jobs of a paused pipeline are blocked. Jobs are done about in the order of their numbers, so the last ones are those that are left.
-- Locks: none. Index: job_run, primary keys of lane, lease, ready, later, blocked and progress.
select a.run_id, a.job_id, l.lane_id, l.engine_id, l.stage, l.class, a.kind, a.label,
  case when e.job_id is not null then 'running' when r.job_id is not null and not l.paused then 'ready' when t.job_id is not null then 'later' else 'blocked' end
    as place,
  greatest(0, extract(epoch from coalesce(coalesce($3::timestamptz, now()) - e.claimed_at, t.run_at - coalesce($3::timestamptz, now()))))::double precision as seconds,
  case
    when (p.state ->> 'total_bytes')::double precision > 0
      then least(1, (p.state ->> 'bytes')::double precision / (p.state ->> 'total_bytes')::double precision)
    when (p.state ->> 'total_units')::double precision > 0
      then least(1, (p.state ->> 'units')::double precision / (p.state ->> 'total_units')::double precision) end as progress
from unnest($1::bigint[]) as asked (run_id)
cross join lateral (
  select j.run_id, j.job_id, j.lane_id, j.kind, j.label from sluice.job j where j.run_id = asked.run_id
  order by j.job_id desc limit $2::integer) a
join sluice.lane l on l.lane_id = a.lane_id
left join sluice.lease e on e.job_id = a.job_id
left join sluice.ready r on r.lane_id = a.lane_id and r.job_id = a.job_id
left join sluice.later t on t.job_id = a.job_id
left join sluice.blocked b on b.job_id = a.job_id
left join sluice.progress p on p.job_id = e.job_id and p.epoch = e.epoch
where e.job_id is not null or r.job_id is not null or t.job_id is not null or b.job_id is not null
order by a.run_id, a.job_id
