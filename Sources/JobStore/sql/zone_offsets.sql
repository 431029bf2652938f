-- The offsets of the time zone $1 from 1800 to 2100: seconds since 1970 from which one holds, and how far east of UTC it is, in seconds.
-- The first row is that of 1800 and before. A week at whose ends the offset differs is halved until the second of the change is known.
-- Refuses a name that is no zone (22023).
with recursive week as (
  select w as at, extract(epoch from to_timestamp(w) at time zone $1 - to_timestamp(w) at time zone 'UTC')::bigint as east
  from generate_series(-5364662400, 4102444800, 604800) as w
), change as (
  select lag(at) over (order by at) as low, at as high, lag(east) over (order by at) as low_east, east as high_east from week
), halved as (
  select low, high, low_east, high_east from change where low_east <> high_east
  union all
  select case when m.east = h.low_east then m.at else h.low end, case when m.east = h.low_east then h.high else m.at end,
    h.low_east, case when m.east = h.low_east then h.high_east else m.east end
  from halved h cross join lateral (
    select w.at, extract(epoch from to_timestamp(w.at) at time zone $1 - to_timestamp(w.at) at time zone 'UTC')::bigint as east
    from (select (h.low + h.high) / 2 as at) w) m
  where h.high - h.low > 1
)
(select at, east from week order by at limit 1)
union all
(select high, high_east from halved where high - low = 1 order by high)
