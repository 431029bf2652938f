-- The instants after $4 (null: $7) and, where $5 is true, up to $7 (null: now), at most $6 of them,
-- of the times $1 of a clock in zone $2, ascending, and whether each is more than $8 seconds before $7.
-- $3 false: each time comes once, at the first moment at which the clock shows it or a later one. So a time that the
-- clock leaves out comes at the end of the gap, and one that it shows twice comes the first time.
-- $3 true: every moment counts at which the clock shows such a time: twice, once, or never.
-- PostgreSQL's own reading of a local time is the later of two, and for one in a gap lies behind it; where the zone's
-- offset changed within the 25 hours before, the minutes of that change are looked through.
with asked as (
  select local, local at time zone $2 as guess from (select unnest($1::text[])::timestamp as local) as each
), placed as (
  select local, guess,
    abs(extract(epoch from (guess at time zone $2 - (guess - interval '25 hours') at time zone $2) - interval '25 hours'))
      as changed
  from asked
), instant as (
  select case when changed = 0 then guess end as at, local, guess, changed from placed
), found as (
  select at from instant where at is not null
  union
  select moment.at from instant i cross join lateral (
    select m as at from generate_series(
      i.guess - make_interval(secs => i.changed::double precision), i.guess, interval '1 minute') as m
    where case when $3::boolean then m at time zone $2 = i.local else m at time zone $2 >= i.local end
    order by m limit case when $3::boolean then 2 else 1 end
  ) as moment
  where i.at is null
)
select at::text as at, at < coalesce($7::timestamptz, now()) - make_interval(secs => $8::double precision) as is_late
from found
where at > coalesce($4::timestamptz, $7::timestamptz, now()) and (not $5::boolean or at <= coalesce($7::timestamptz, now()))
order by found.at limit $6::integer
