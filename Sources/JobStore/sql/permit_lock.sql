-- Keeps others from giving out permits of the keys $1 until the transaction ends; in a statement of its own before that which
-- counts them, because within one statement the snapshot would be older than the lock.
-- Locks: an advisory lock each, in their order. Taken last in a transaction: who holds one waits for nothing else.
with asked as materialized (select distinct hashtext(k) as key from unnest($1::text[]) as k order by 1)
select pg_advisory_xact_lock(7351905, key) from asked
