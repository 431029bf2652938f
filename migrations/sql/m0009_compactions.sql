--! compatible
-- Compactions: the rows of neighbouring snapshots of a dataset, once more, in fewer files. The snapshots and their own files stay.
-- An engine that does not know the tables reads the snapshots' own files, which hold the same rows.

create table sluice.compaction (
  compaction_id bigint generated always as identity primary key,
  pipeline      text not null,
  dataset       text not null,
  first_number  bigint not null,                        -- of its snapshots
  last_number   bigint not null,
  snapshots     integer not null check (snapshots > 0), -- how many it is made of: with fewer of them left, readers ignore it
  state         text not null check (state in ('open', 'current', 'superseded', 'failed')),
  folder        text not null unique,                   -- the begin of its objects' keys
  job_id        bigint not null,
  error         text,                                   -- of a failed one
  created_at    timestamptz not null default now(),
  changed_at    timestamptz not null,
  check (first_number <= last_number)
);
create index compaction_dataset on sluice.compaction (pipeline, dataset, first_number);

create table sluice.compacted_file (                    -- each row has its snapshot's number in the column _sluice_snapshot
  compaction_id bigint not null references sluice.compaction on delete cascade,
  chunk         integer not null,
  key           text not null unique,
  rows          bigint not null,
  bytes         bigint not null,
  sha256        text not null,
  primary key (compaction_id, chunk)
);
