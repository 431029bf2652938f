--! breaking
-- How many jobs may work with a thing at once, and how often it may be asked. Breaking: an engine that knows one permit a key
-- can take none, and must not think that nobody else has it.

alter table sluice.permit drop constraint permit_pkey;
alter table sluice.permit
  add column slot integer not null default 1 check (slot > 0),
  add column reserved_until timestamptz,                -- until then it is kept for (job, epoch), whose lease is still to come
  add primary key (key, slot);
alter table sluice.permit set (fillfactor = 70);

-- Of the keys that jobs have asked for; a key without a row has no limit.
create table sluice.permit_limit (
  key   text primary key,
  slots integer not null check (slots > 0)
);

-- Who waits for a permit. Moved to ready as slots become free, and at run_at whatever happens.
alter table sluice.later add column waits_for text, add column waits_since timestamptz;
create index later_waiting on sluice.later (waits_for, job_id) where waits_for is not null;

-- Whether the jobs of a lane need a permit of their pipeline before they begin.
alter table sluice.lane add column limited boolean not null default false;

-- A lane is born with the settings of its pipeline, whoever makes it.
create function sluice.lane_born() returns trigger language plpgsql as $$
begin
  new.limited := exists (select from sluice.permit_limit where key = 'pipeline/' || new.pipeline);
  return new;
end $$;
create trigger lane_born before insert on sluice.lane for each row execute function sluice.lane_born();

-- When the next request of a key may begin: one row for all who ask the same host.
create table sluice.rate (
  key     text primary key,
  next_at timestamptz not null
) with (fillfactor = 50);
