--! compatible
-- How many workers there are to be: which process decides it, what it has decided and why, what a person has set in its place, what was
-- predicted and what came, and what a month has cost. An engine that does not know these tables keeps as many workers as its command line says.

-- The process that decides. One row. Its epoch is one higher whenever another process begins; every decision carries it.
create table sluice.scaling_lead (
  is_only   boolean primary key default true check (is_only),
  epoch     bigint not null,
  holder    text not null,
  until     timestamptz not null,
  history   jsonb                                       -- what one decision gives to the next, also to another process's
) with (fillfactor = 50);

-- A decision is stored when it differs from the one before, and at least once a minute.
create table sluice.scaling_decision (
  decision_id bigint generated always as identity primary key,
  epoch       bigint not null,
  decided_at  timestamptz not null default now(),
  total       integer not null,
  demanded    integer not null,                         -- what the work asked for, before limits
  counts      jsonb not null,                           -- workers by the number of the release; 0: of none
  stops       bigint[] not null,                        -- idle workers that may be stopped
  drains      bigint[] not null,                        -- busy workers that are to finish and end
  reasons     text[] not null,
  limited_by  text,
  inputs      jsonb not null                            -- a summary of the measurements
);
create index scaling_decision_time on sluice.scaling_decision (decided_at);

-- A count that a person set.
create table sluice.scaling_override (
  override_id bigint generated always as identity primary key,
  workers     integer not null check (workers >= 0),
  reason      text not null,
  author      text not null,
  created_at  timestamptz not null default now(),
  expires_at  timestamptz not null,
  ended_at    timestamptz,                              -- before it expired
  ended_by    text
);

-- What was expected of an attempt that ran, and what came.
create table sluice.scaling_prediction (
  prediction_id     bigint generated always as identity primary key,
  job_id            bigint not null,
  kind              text not null,
  release_id        bigint not null,
  basis             text not null,
  seconds_mean      double precision not null,
  seconds_deviation double precision not null,
  seconds_high      double precision not null,
  seconds_actual    double precision not null,
  bytes_mean        double precision not null,
  bytes_deviation   double precision not null,
  bytes_high        double precision not null,
  bytes_actual      double precision,                   -- null: not measured
  settled_at        timestamptz not null default now(),
  stands_for        double precision not null default 1,  -- attempts: of those that end in one look a few are kept
  seconds_width     double precision not null default 1,  -- the deviation was multiplied by it, because of earlier predictions
  bytes_width       double precision not null default 1
);
create index scaling_prediction_time on sluice.scaling_prediction (settled_at);
create index scaling_prediction_kind on sluice.scaling_prediction (kind, settled_at);

-- What the deciding process asks of all workers under memory pressure, while its lease lasts.
alter table sluice.scaling_lead
  add column heaviest_bytes double precision,           -- jobs that are expected to need more are not claimed; null: all are
  add column yield_jobs bigint[] not null default '{}', -- attempts that give their jobs back at the next checkpoint
  add column yield_epochs bigint[] not null default '{}';

-- What a job is expected to need: workers reserve it, and the next process that decides starts from it.
create table sluice.scaling_estimate (
  kind              text not null,
  pipeline          text not null,                      -- empty: of all pipelines
  size              integer not null,                   -- n: the input has 2^n bytes and less than 2^(n + 1); -1: of all sizes
  seconds_mean      double precision not null,
  seconds_deviation double precision not null,
  bytes_mean        double precision not null,
  bytes_deviation   double precision not null,
  estimated_at      timestamptz not null default now(),
  primary key (kind, pipeline, size)
);

-- Hosts whose workers claim by memory. Each such claim takes a turn, so that two workers do not take the same room.
create table sluice.memory_host (
  host          text primary key,
  turn          bigint not null default 0,
  worker_id     bigint,                                 -- took the last turn
  waiting_job   bigint,                                 -- room is kept for it
  waiting_since timestamptz,
  waiting_at    timestamptz                             -- when a worker last said so
) with (fillfactor = 50);

-- How many attempts of the job ran out of memory: the next one gets more of it. An engine from before this column gives it no more.
alter table sluice.suspect add column memory_kills integer not null default 0;

-- Worker-hours by month (UTC).
create table sluice.scaling_usage (
  month      date primary key,
  hours      double precision not null,
  counted_at timestamptz                                -- until when they are counted
) with (fillfactor = 50);

-- By when a run must be done; null: it has no deadline. Of runs that an engine before this one starts it is null.
alter table sluice.run add column deadline_at timestamptz;
create index run_deadline on sluice.run (pipeline, deadline_at) where deadline_at is not null and state in ('queued', 'running');

-- What was told of a run that will miss its deadline, or has missed it: once for each real change.
create table sluice.late_warning (
  run_id       bigint primary key references sluice.run on delete cascade,  -- the batch, also where its load is late
  told_at      timestamptz not null,
  late_seconds double precision not null,               -- as it was predicted when it was last told; 0: it is in time again
  missed       boolean not null                         -- the deadline has passed
);

-- When a run with a deadline was expected to end, together with its loads: predicted once, when it was first seen with a known history. What came is
-- in sluice.run.
create table sluice.finish_forecast (
  run_id   bigint primary key references sluice.run on delete cascade,
  made_at  timestamptz not null,
  early_at timestamptz not null,                        -- one end in ten is expected before
  mean_at  timestamptz not null,
  late_at  timestamptz not null                         -- and one after
);

-- What ended since a moment. History is written in the order of time: ranges of pages find it, for a hundredth of a B-tree's cost. Days before
-- today get no index: a decision looks at the last hour, and while a long history is read no attempt could end.
create or replace function sluice.outcome_day(day date) returns boolean language plpgsql as $$
declare
  partition text := 'outcome_' || to_char(day, 'YYYYMMDD');
  first timestamptz := day::timestamp at time zone 'UTC';
  next timestamptz := (day + 1)::timestamp at time zone 'UTC';
begin
  if to_regclass('sluice.' || partition) is not null
    or exists (select from sluice.outcome_rest where finished_at >= first and finished_at < next) then
    return false;
  end if;
  execute format('create table sluice.%I partition of sluice.outcome for values from (%L) to (%L)', partition, first, next);
  perform sluice.outcome_time(partition);
  return true;
end $$;

create function sluice.outcome_time(partition text) returns void language plpgsql as $$
begin
  execute format(
    'create index on sluice.%I using brin (finished_at) with (pages_per_range = 16, autosummarize = on)', partition);
end $$;
select sluice.outcome_time(c.relname) from pg_inherits i join pg_class c on c.oid = i.inhrelid
where i.inhparent = 'sluice.outcome'::regclass
  and (c.relname = 'outcome_rest' or c.relname >= 'outcome_' || to_char(now() at time zone 'UTC', 'YYYYMMDD'));

-- Under which name control launched a worker: by it the worker is told from others when the answer to the launch was lost, and on other machines.
-- Null: launched without one, by a person or an engine before this.
alter table sluice.worker add column launch_id text check (length(launch_id) between 1 and 128);
create index worker_launch on sluice.worker (launch_id) where launch_id is not null;
