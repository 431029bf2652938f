--! breaking
-- Releases that are deployed. Breaking: an engine that does not know them would start runs beside the current one, and claim
-- from lanes whose engine it is not.

-- What the definitions of a directory became before anything was deployed keeps no engine, and is served by every one.
alter table sluice.release drop constraint release_state_check;
update sluice.release set state = 'IMPLICIT';
alter table sluice.release add constraint release_state_check check (state in
  ('IMPLICIT', 'STAGED', 'CANARY', 'CURRENT', 'DRAINING', 'DRAINED', 'RETIRED', 'REJECTED'));

alter table sluice.release
  add column definition_hash text,                      -- of its files
  add column engine_hash     text,                      -- of the binary in the object store; null: any engine
  add column engine_bytes    bigint,
  add column schema_number   integer,                   -- the newest migration that its engine knows
  add column reads           text[] not null default '{}',  -- checkpoint formats that its engine goes on from
  add column migrates        text[] not null default '{}',  -- older ones that it turns into what it writes
  add column writes          text[] not null default '{}',
  add column ramp            integer not null default 0 check (ramp between 0 and 10000),  -- of a canary: new runs in 10,000
  add column evidence        interval,                  -- of a canary: how long it is looked at
  add column looks           smallint not null default 0,   -- at its rates
  add column looked_at       timestamptz,
  add column canary_since    timestamptz,               -- last; null: it never was one
  add column failed_starts   smallint not null default 0,   -- of its workers, one after the other
  add column reason          text,                      -- why it is in its state
  add column changed_at      timestamptz not null default now(),
  add column promoted_at     timestamptz,               -- last; null: it was never current
  add constraint release_engine check ((state = 'IMPLICIT') = (engine_hash is null));
create unique index release_one_current on sluice.release ((true)) where state = 'CURRENT';
create unique index release_one_canary on sluice.release ((true)) where state = 'CANARY';
create unique index release_label on sluice.release (label) where label is not null and state <> 'REJECTED';

-- A lane's jobs keep the definition of its release_id; workers of its engine_id claim them. 0: workers of no release.
-- All unfinished jobs of a run stand in lanes of one engine: what is handed over is all that a pipeline has of one definition
-- on one engine. New jobs go to the lane that takes_new, whose engine is its own release's.
alter table sluice.lane
  add column engine_id  bigint not null default 0,
  add column hands_over boolean not null default false, -- to the next current release, at the next checkpoint
  add column takes_new  boolean not null default true check (not takes_new or engine_id = release_id),
  drop constraint lane_pipeline_stage_release_id_class_key;
create unique index lane_new on sluice.lane (pipeline, stage, release_id, class) where takes_new;
create index lane_engine on sluice.lane (engine_id);
create index lane_release on sluice.lane (release_id);
create index later_lane on sluice.later (lane_id);

alter table sluice.run add column moved_to bigint;      -- the run that does its work on another release; 0: none can
create index run_release on sluice.run (release_id) where state in ('queued', 'running');

alter table sluice.worker add column schema_number integer;
alter table sluice.beat add column drain_asked boolean not null default false;

-- What still has to be done: a job that is blocked waits for one of these, of its own run, or for one that is dead.
create view sluice.open_work as
select lane_id, job_id, 'READY' as state, epoch > 0 as was_claimed, since from sluice.ready
union all
select lane_id, job_id, 'LEASED', true, claimed_at from sluice.lease
union all
select lane_id, job_id, 'LATER', epoch > 0, run_at from sluice.later;

-- No workers are started on these hosts.
create table sluice.drained_host (
  host  text primary key,
  since timestamptz not null
);

-- Who did what to which release, and why. Never changed.
create table sluice.audit (
  audit_id   bigint generated always as identity primary key,
  at         timestamptz not null,
  actor      text not null,
  action     text not null,
  release_id bigint,
  reason     text,
  before     jsonb,
  after      jsonb
);

-- As it was, but for the lane that it finds: the one that takes new jobs.
create or replace function sluice.enqueue(
  kind text, payload jsonb default '{}', pipeline text default 'default', unique_key text default null,
  run_at timestamptz default null, class integer default 0, max_attempts integer default 8,
  time_limit interval default null, label text default null, wake boolean default false
) returns bigint language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  lane bigint;
  job bigint;
  wrong text := case
    when coalesce(kind, '') = '' then 'a job needs a kind: the name that a handler is registered under'
    when coalesce(pipeline, '') = '' then 'a job needs a pipeline: leave it out for the default one'
    when length(kind) > 200 or length(pipeline) > 200 then 'a kind and a pipeline have at most 200 characters'
    when payload is null then 'a payload is not null: leave it out where there is none'
    when unique_key = '' then 'a unique key is not empty: leave it out where there is none'
    when octet_length(unique_key) > 2000 then 'a unique key has at most 2000 bytes: use a hash of it'
    when class is null or class not between -32768 and 32767 then 'class is a number from -32768 to 32767'
    when max_attempts is null or max_attempts < 1 then 'max_attempts is at least 1'
    when time_limit <= interval '0' then 'time_limit is longer than nothing: leave it out for none'
  end;
begin
  if wrong is not null then
    raise exception 'sluice.enqueue: %', wrong using errcode = 'invalid_parameter_value';
  end if;
  loop
    select l.lane_id into lane from sluice.lane l
    where l.pipeline = enqueue.pipeline and l.stage = enqueue.kind and l.class = enqueue.class::smallint
      and l.release_id = 0 and l.takes_new;
    exit when found;
    insert into sluice.lane (pipeline, stage, class, paused)
    values (enqueue.pipeline, enqueue.kind, enqueue.class,
      coalesce((select bool_and(o.paused) from sluice.lane o where o.pipeline = enqueue.pipeline), false))
    on conflict (pipeline, stage, release_id, class) where takes_new do nothing;
  end loop;
  job := nextval('sluice.job_job_id_seq');
  while unique_key is not null loop
    insert into sluice.live_key (key, job_id) values (unique_key, job) on conflict (key) do nothing;
    exit when found;
    declare
      other bigint;
    begin
      select k.job_id into other from sluice.live_key k where k.key = unique_key;
      -- Gone again already: the key is free.
      if found then return other; end if;
    end;
  end loop;
  insert into sluice.job (job_id, lane_id, kind, label, payload, max_attempts, time_limit, live_key, created_at)
  overriding system value
  values (job, lane, kind, coalesce(label, kind), payload, max_attempts, time_limit, unique_key, now());
  if run_at > now() then
    insert into sluice.later (job_id, run_at, lane_id, attempt, epoch) values (job, run_at, lane, 0, 0);
  else
    insert into sluice.ready (lane_id, job_id, attempt, epoch, since) values (lane, job, 0, 0, now());
    if wake then perform pg_notify('sluice_ready', lane::text); end if;
  end if;
  return job;
end $$;
