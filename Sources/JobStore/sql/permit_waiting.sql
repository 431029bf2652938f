-- Who waits for which permit: how many jobs of each pipeline, since when, and how many of the key's slots are taken.
select l.pipeline, t.waits_for as key, m.slots, count(*) as jobs,
  (select count(*) from sluice.permit p
   where p.key = t.waits_for and (p.reserved_until between now() and now() + interval '10 seconds' or exists (
     select from sluice.lease e where e.job_id = p.job_id and e.epoch = p.epoch))) as taken,
  min(t.waits_since)::text as since
from sluice.later t
join sluice.lane l on l.lane_id = t.lane_id
join sluice.permit_limit m on m.key = t.waits_for
group by l.pipeline, t.waits_for, m.slots
order by min(t.waits_since), l.pipeline, t.waits_for
