-- The number of a run to come, and the releases that it may begin with; nothing where none is current.
with takes as materialized (
  select release_id, state, ramp from sluice.release where state in ('CURRENT', 'CANARY')
)
select n.run_id, t.release_id, t.state, t.ramp
from (select nextval('sluice.run_run_id_seq') as run_id where exists (select from takes where state = 'CURRENT')) n
cross join takes t
