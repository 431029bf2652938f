-- Gives the exclusive permit $1 to (job $2, epoch $3) unless a lease that still lives holds it. Survives crashes,
-- because a permit is worth no more than the lease behind it. Returns a row when it was given.
-- Locks: the permit's row.
insert into sluice.permit as p (key, job_id, epoch) values ($1, $2::bigint, $3::bigint)
on conflict (key) do update set job_id = excluded.job_id, epoch = excluded.epoch
where (p.job_id = excluded.job_id) or not exists (
  select from sluice.lease l where l.job_id = p.job_id and l.epoch = p.epoch)
returning p.key
