-- Takes the compactions of snapshots from number $3 to $4 of dataset $2 of pipeline $1 out of what readers open: a larger one has
-- their rows. Their objects stay for readers that have begun. Index: compaction_dataset.
update sluice.compaction c set state = 'superseded', changed_at = now()
where c.pipeline = $1 and c.dataset = $2 and c.state = 'current'
  and c.first_number >= $3::bigint and c.last_number <= $4::bigint
