-- What keeps the snapshots of dataset $2 of pipeline $1 from a compaction: one that is under way, or that failed within the last day.
-- Index: compaction_dataset.
select c.state, c.first_number, c.last_number
from sluice.compaction c
where c.pipeline = $1 and c.dataset = $2
  and (c.state = 'open' and c.changed_at > coalesce($3::timestamptz, now()) - interval '15 minutes'
    or c.state = 'failed' and c.changed_at > coalesce($3::timestamptz, now()) - interval '1 day')
