-- Lets one worker at a time keep slots free for a job that must run alone: $1 job, $2 worker. Returns a row where that is worker $2. A
-- worker says it again with each survey; 5 seconds after it was last said the right is another's. A time in the future is one
-- of a clock that was set back.
-- Locks: the suspect row. Index: its primary key.
update sluice.suspect
set waiting_worker = $2::bigint, waiting_at = coalesce($3::timestamptz, now())
where job_id = $1::bigint and runs_alone
  and (waiting_worker is null or waiting_worker = $2::bigint
    or waiting_at not between coalesce($3::timestamptz, now()) - interval '5 s' and coalesce($3::timestamptz, now()) + interval '5 s')
returning job_id
