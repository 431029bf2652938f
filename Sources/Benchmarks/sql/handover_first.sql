-- How long after $1 a worker of the release with label $2 claimed its first job; nothing where none has yet.
select extract(epoch from min(a.started_at) - $1::timestamptz)::double precision as seconds
from (select worker_id, started_at from sluice.outcome union all select worker_id, claimed_at from sluice.lease) a
join sluice.worker w on w.worker_id = a.worker_id
join sluice.release r on r.release_id = w.release_id
where r.label = $2 and a.started_at >= $1::timestamptz
having count(*) > 0
