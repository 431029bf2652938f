-- Makes this transaction's commit wait for its WAL where the database's own setting does not. For sessions that are not ours to
-- set up: behind a transaction pooler.
select set_config('synchronous_commit', 'on', true) where current_setting('synchronous_commit') = 'off'
