-- How many runs missed their deadline, by the part of the time from $1 up to $2 (seconds since 1970) in which the deadline was, of $3 equal parts.
-- A run and the loads that it asked for are one. One that failed missed it; one that was cancelled, or whose work another does, did not.
-- Locks: none. Reads all runs: a person asks for it.
select $1::double precision + m.part * ($2::double precision - $1::double precision) / $3::bigint as seconds, count(distinct m.run) as runs
from (
  select coalesce(r.parent_id, r.run_id) as run,
    floor((extract(epoch from r.deadline_at)::double precision - $1::double precision)
      / (($2::double precision - $1::double precision) / $3::bigint)) as part
  from sluice.run r
  where r.moved_to is null and r.deadline_at >= to_timestamp($1::double precision) and r.deadline_at < least(to_timestamp($2::double precision), now())
    and case r.state when 'succeeded' then r.finished_at > r.deadline_at else r.state <> 'cancelled' end) m
group by m.part
order by m.part
