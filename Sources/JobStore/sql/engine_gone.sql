-- Engines of which this database knows, and whose releases were all removed. An engine that no release of it names may be another
-- database's that shares the storage, or one from after the backup that this database was restored from.
select r.engine_hash from sluice.release r
where r.engine_hash is not null group by r.engine_hash having bool_and(r.removed_at is not null)
