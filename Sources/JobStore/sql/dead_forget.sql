-- Takes jobs $1 out of the dead, so that job_expire deletes them.
delete from sluice.dead where job_id = any ($1::bigint[])
