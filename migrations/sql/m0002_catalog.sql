--! compatible
-- What is known of the data: raw objects, cursors, datasets, snapshots, what is loaded.

create table sluice.installation (
  only_one     boolean primary key default true check (only_one),
  installation text not null                            -- part of every key of a target's ledger
);

create table sluice.raw_object (
  object_id    bigint generated always as identity primary key,
  run_id       bigint not null,
  job_id       bigint not null,
  epoch        bigint not null,
  pipeline     text not null,
  source       text not null,
  stream       text not null,
  sequence     integer not null,
  key          text not null unique,
  bytes        bigint not null,
  sha256       text not null,
  request      text not null,                           -- a path or a URL, without secrets
  content_type text,
  origin_bytes bigint,                                  -- of a file: its size and SHA-256 tell whether it was seen
  origin_sha256 text,
  broken       text,                                    -- why it is kept and never curated
  records      bigint,
  fetched_at   timestamptz not null
);
create index raw_object_stream on sluice.raw_object (pipeline, source, stream, run_id, sequence);
create index raw_object_run on sluice.raw_object (run_id);

create table sluice.sealed (                            -- a stream's ingest of a run is done: its objects are due
  run_id    bigint not null,
  pipeline  text not null,
  source    text not null,
  stream    text not null,
  read      text not null check (read in ('full', 'incremental')),
  sealed_at timestamptz not null,
  skipped   boolean not null default false,             -- given up by a person: never curated
  primary key (pipeline, source, stream, run_id)
);

create table sluice.cursor (                            -- append only: the newest row is the cursor
  cursor_id bigint generated always as identity primary key,
  pipeline  text not null,
  source    text not null,
  stream    text not null,
  value     text not null check (value <> ''),
  run_id    bigint,
  at        timestamptz not null
);
create index cursor_stream on sluice.cursor (pipeline, source, stream, cursor_id desc);

create table sluice.stream_field (
  pipeline  text not null,
  source    text not null,
  stream    text not null,
  field     text not null,
  position  integer not null,
  first_run bigint not null,
  last_run  bigint not null,
  primary key (pipeline, source, stream, field)
);

create table sluice.snapshot (
  snapshot_id  uuid primary key,
  number       bigint generated always as identity,     -- for people, and the order of loading
  pipeline     text not null,
  dataset      text not null,
  run_id       bigint not null,
  job_id       bigint not null,
  is_full      boolean not null,
  columns      jsonb not null,                          -- [{"name", "type"}]
  key          jsonb not null,                          -- ["order_id"]
  cursor_field text,
  rows_in      bigint not null,
  rows_out     bigint not null,
  filtered     bigint,                                  -- null: the SELECT aggregates, so it cannot be counted
  deduplicated bigint not null,
  quarantined  bigint not null,
  quarantine_key text,                                  -- the object with the quarantined rows
  quarantine_keys_readable boolean not null default true,
  previous_id  uuid,
  created_at   timestamptz not null
);
create index snapshot_dataset on sluice.snapshot (pipeline, dataset, number desc);

create table sluice.data_file (
  snapshot_id uuid not null references sluice.snapshot on delete cascade,
  chunk       integer not null,
  key         text not null unique,
  partition   text not null,
  rows        bigint not null,
  bytes       bigint not null,
  sha256      text not null,
  primary key (snapshot_id, chunk)
);

create table sluice.consumed (                          -- a stream's run is in a snapshot of a dataset
  pipeline    text not null,
  dataset     text not null,
  source      text not null,
  stream      text not null,
  run_id      bigint not null,
  snapshot_id uuid,                                     -- null: superseded by a newer full read
  primary key (pipeline, dataset, source, stream, run_id)
);

create table sluice.loaded (                            -- what targets confirmed; the ledger in the target decides
  snapshot_id uuid not null,
  target      text not null,
  table_name  text not null,
  status      text not null check (status in ('loaded', 'superseded')),
  rows        bigint not null,
  inserted    bigint not null,
  updated     bigint not null,
  deleted     bigint not null,
  ticket      bigint not null,
  run_id      bigint,
  at          timestamptz not null,
  primary key (snapshot_id, target, table_name)
);
