-- Compactions of dataset $2 of pipeline $1 whose objects no reader opens any more: superseded, failed or left by a crash two days
-- ago. A query runs for a day at most. Index: compaction_dataset.
select c.compaction_id, c.folder
from sluice.compaction c
where c.pipeline = $1 and c.dataset = $2 and c.state <> 'current'
  and c.changed_at < coalesce($3::timestamptz, now()) - interval '2 days'
order by c.compaction_id
limit 100
