-- The curate job that ended last: how long its attempt took, and where its rows went.
select extract(epoch from o.finished_at - o.started_at)::double precision as seconds, s.rows_in, s.rows_out, s.quarantined
from sluice.outcome o
join sluice.job j on j.job_id = o.job_id
join sluice.snapshot s on s.job_id = j.job_id
where j.kind = 'curate' and o.status = 'done'
order by o.finished_at desc limit 1
