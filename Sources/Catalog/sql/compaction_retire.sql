-- Takes compactions of dataset $2 of pipeline $1 out of use that no reader opens: a full snapshot replaced what they have, or not
-- all of their snapshots are there. Index: compaction_dataset, snapshot_dataset.
update sluice.compaction c set state = 'superseded', changed_at = now()
where c.pipeline = $1 and c.dataset = $2 and c.state = 'current'
  and (exists (
      select from sluice.snapshot s where s.pipeline = $1 and s.dataset = $2 and s.is_full and s.number > c.first_number)
    or c.snapshots <> (
      select count(*) from sluice.snapshot s
      where s.pipeline = $1 and s.dataset = $2 and s.number between c.first_number and c.last_number))
