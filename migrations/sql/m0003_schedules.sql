--! compatible
-- When runs start by themselves, what became of each scheduled time, which pipelines are paused, and which runs are backfills.

create table sluice.schedule (
  pipeline      text primary key,
  release_id    bigint not null references sluice.release,  -- the definition in force
  cron          text not null,
  timezone      text not null,
  overlap       text not null check (overlap in ('skip', 'queue', 'allow')),
  catch_up      text not null check (catch_up in ('latest', 'all', 'none')),
  considered_at timestamptz not null,                   -- every time up to this one has been decided
  next_at       timestamptz                             -- the next one; null: to be found, so look now
);
create index schedule_next on sluice.schedule (next_at);

create table sluice.schedule_tick (                     -- a scheduled time is decided once, whoever decides it
  pipeline     text not null,
  scheduled_at timestamptz not null,
  outcome      text not null check (outcome in ('started', 'waiting', 'skipped', 'missed', 'failed')),
  run_id       bigint,
  reason       text,                                    -- why no run
  decided_at   timestamptz not null,
  primary key (pipeline, scheduled_at),
  check (outcome <> 'started' or run_id is not null)
);
create index schedule_tick_waiting on sluice.schedule_tick (pipeline, scheduled_at) where outcome = 'waiting';

create table sluice.pause (
  pipeline text primary key,
  since    timestamptz not null
);

create table sluice.backfill (                          -- a run over a range of a cursor, which it does not move
  run_id     bigint primary key references sluice.run on delete cascade,
  range_from text not null check (range_from <> ''),
  range_to   text not null check (range_to <> ''),
  streams    text[] not null
);

-- The runs that are going: few, whatever the history.
create index run_open on sluice.run (pipeline) where state in ('queued', 'running');

-- A lane that is made while its pipeline is paused is paused too: a new class or release is no way around a pause.
-- The lock is shared by those who make lanes; pause and resume take it alone, so that none is made unseen meanwhile.
create function sluice.lane_inherits_pause() returns trigger language plpgsql as $$
begin
  perform pg_advisory_xact_lock_shared(7351904233);
  if exists (select from sluice.pause p where p.pipeline = new.pipeline) then
    new.paused := true;
  end if;
  return new;
end
$$;
create trigger lane_inherits_pause before insert on sluice.lane
for each row execute function sluice.lane_inherits_pause();
