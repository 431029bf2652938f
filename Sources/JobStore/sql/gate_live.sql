-- The checkpoints that live: how many of which format stand in the lanes of a pipeline's stage, and the oldest.
select l.pipeline, l.stage, l.release_id, l.engine_id, l.hands_over, m.format, count(*) as jobs,
  min(m.at)::text as oldest, extract(epoch from now() - min(m.at))::double precision as oldest_seconds
from (
  select w.job_id, w.lane_id from sluice.open_work w where w.was_claimed
  union all select b.job_id, b.lane_id from sluice.blocked b) w
join sluice.mark m on m.job_id = w.job_id and m.step = ''
join sluice.lane l on l.lane_id = w.lane_id
group by l.pipeline, l.stage, l.release_id, l.engine_id, l.hands_over, m.format
order by 1, 2, 3, 4, 6
