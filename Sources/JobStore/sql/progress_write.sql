-- How far running attempts are: $1 jobs, $2 epochs, $3 states. Losing one of these is harmless.
insert into sluice.progress (job_id, epoch, state, at)
select j, e, s::jsonb, now() from unnest($1::bigint[], $2::bigint[], $3::text[]) as p (j, e, s)
order by j
on conflict (job_id) do update set epoch = excluded.epoch, state = excluded.state, at = excluded.at
where sluice.progress.epoch <= excluded.epoch
