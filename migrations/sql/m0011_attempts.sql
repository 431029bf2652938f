--! compatible
-- What the history of a job's attempts says of it; indexes that keep run N from reading the history of the runs before it.

-- How often in a row an attempt lost its database session alone: the server tells that none of its processes crashed, and the worker's
-- other sessions stayed. An engine from before this column counts none.
alter table sluice.suspect add column losses integer not null default 0;

-- The versions of a file that a stream has taken, newest last. By a hash: a path may be longer than a key of an index.
create index raw_object_file on sluice.raw_object (pipeline, source, stream, hashtextextended(request, 0), object_id)
  where origin_sha256 is not null;
-- Which run has read a stream last.
create index sealed_time on sluice.sealed (pipeline, source, stream, sealed_at);
-- What a run made.
create index snapshot_run on sluice.snapshot (run_id);
