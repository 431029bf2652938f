--! compatible
-- Which project folder the database belongs to. Folder and database carry the same identity; any other folder is refused.

create table sluice.project_folder (
  only_one    boolean primary key default true check (only_one),
  identity    text not null,                              -- also in the folder's file .sluice/ENV/installation
  environment text not null,
  folder      text not null,                              -- where it was seen last: for people, a folder may be moved
  host        text not null,
  inode       text not null,                              -- DEVICE:NUMBER of the folder of that file: a copy has another
  seen_at     timestamptz not null default now()
);
