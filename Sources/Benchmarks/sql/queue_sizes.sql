-- Every table of the queue: its size with its indexes, and its dead rows as vacuum counts them.
select t.relname as name, pg_total_relation_size(t.relid) as bytes, t.n_dead_tup as dead, t.n_live_tup as live
from pg_stat_user_tables t
where t.schemaname = 'sluice'
order by t.relname
