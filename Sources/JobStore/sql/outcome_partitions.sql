-- The partitions of outcome whose day ended more than $1 seconds ago, oldest first, with their size in pages.
select c.relname as partition, (pg_relation_size(c.oid) / current_setting('block_size')::integer)::bigint as pages
from pg_inherits i join pg_class c on c.oid = i.inhrelid
where i.inhparent = 'sluice.outcome'::regclass and c.relname ~ '^outcome_[0-9]{8}$'
  and (to_date(right(c.relname, 8), 'YYYYMMDD') + 1)::timestamp at time zone 'UTC'
    < coalesce($2::timestamptz, now()) - make_interval(secs => $1::double precision)
order by c.relname
