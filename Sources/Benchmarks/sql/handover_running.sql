-- Pipelines with a run: whether it is not over, and whether it is being pulled.
select r.pipeline, bool_or(r.state in ('queued', 'running')) as has_run,
  bool_or(exists (select from sluice.lease h join sluice.lane l on l.lane_id = h.lane_id
    where h.run_id = r.run_id and l.stage = 'ingest')) as is_running
from sluice.run r group by r.pipeline
