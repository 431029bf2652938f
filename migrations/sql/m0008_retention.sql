--! compatible
-- Retention of releases: when the files and the engine of one that ended were removed. The row stays, as long as runs name it.
-- An engine that does not know the column shows such a release as retired; it cannot bring it back.
alter table sluice.release add column removed_at timestamptz;
create index release_engine_hash on sluice.release (engine_hash) where engine_hash is not null and removed_at is null;
