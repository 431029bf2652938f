--! compatible
-- Segments of streams' histories: the latest rows of each key over some raw objects of a stream, as one Parquet file for one dataset.
-- They save a run the reading of earlier raw. An engine that does not know them reads the raw; what it adds is in no segment then.

create table sluice.history_segment (
  segment_id   bigint generated always as identity primary key,
  pipeline     text not null,
  dataset      text not null,                           -- a segment has the fields that this dataset's SELECT reads
  source       text not null,
  stream       text not null,
  first_object bigint not null,                         -- the first of the objects, in the order of runs and sequences
  objects      integer not null check (objects > 0),    -- how many in a row
  identity     text not null,                           -- a hash over all that decides what the rows are
  content      text not null,                           -- JSON: fields, columns, counts
  key          text not null unique,                    -- in the raw zone
  bytes        bigint not null,
  sha256       text not null,
  is_live      boolean not null,                        -- false: to be removed; also of an attempt that has not completed
  created_at   timestamptz not null
);
create index history_segment_dataset on sluice.history_segment (pipeline, dataset);
