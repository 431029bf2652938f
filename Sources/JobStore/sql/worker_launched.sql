-- Of the names of launches $1 those under which a worker has registered, also one that has ended since. Locks: none. Index: worker_launch.
select distinct w.launch_id from sluice.worker w where w.launch_id = any ($1::text[])
