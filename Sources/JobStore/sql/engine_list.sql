-- Engines that a release has whose files were not removed (only $1 where it is given): whether one of them may be at work. With the
-- database's time in seconds since 1970; one row without an engine where there is none.
-- Index: release_engine_hash.
select e.engine_hash, coalesce(e.is_served, false) as is_served, extract(epoch from clock_timestamp())::bigint as seconds
from (select 1) as one left join (
  select r.engine_hash, bool_or(r.state not in ('RETIRED', 'REJECTED')) as is_served from sluice.release r
  where r.engine_hash is not null and r.removed_at is null and ($1::text is null or r.engine_hash = $1) group by r.engine_hash
) e on true
