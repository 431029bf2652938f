-- Workers whose lease has not run out. One that was asked to drain counts as draining, also before its next beat.
select w.worker_id, w.host, w.pid, w.engine, w.slots, w.serves_one_run, w.started_at::text, b.beat_at::text,
  b.draining or b.drain_asked as draining,
  (select count(*) from sluice.lease l where l.worker_id = w.worker_id) as busy, rel.content_hash as release, w.release_id, w.schema_number,
  w.launch_id
from sluice.worker w join sluice.beat b on b.worker_id = w.worker_id
left join sluice.release rel on rel.release_id = w.release_id
where b.expires_at > now()
order by w.worker_id
