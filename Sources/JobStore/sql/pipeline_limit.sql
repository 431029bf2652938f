-- Says how many jobs of the pipeline $1 may run at once: $2; null: as many as there are slots. Who waits when a limit goes
-- becomes ready with the next look at what is due.
-- Locks: the limit's row, then later rows, then lanes. Index: primary key of permit_limit, later_waiting.
with written as (
  insert into sluice.permit_limit (key, slots)
  select 'pipeline/' || $1, $2::integer
  where $2::integer is not null and not exists (
    select from sluice.permit_limit m where m.key = 'pipeline/' || $1 and m.slots = $2::integer)
  on conflict (key) do update set slots = excluded.slots
), removed as (
  delete from sluice.permit_limit where key = 'pipeline/' || $1 and $2::integer is null returning key
), released as (
  update sluice.later t set waits_for = null, waits_since = null, run_at = coalesce($3::timestamptz, now())
  from removed r where t.waits_for = r.key
)
update sluice.lane set limited = $2::integer is not null
where pipeline = $1 and limited <> ($2::integer is not null)
