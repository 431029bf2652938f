-- Forgets compaction $1, whose objects are gone.
delete from sluice.compaction where compaction_id = $1::bigint and state <> 'current'
