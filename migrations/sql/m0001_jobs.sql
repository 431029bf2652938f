--! compatible
-- The queue. What a job is (job), where it stands (ready, lease, later, blocked, dead: exactly one, or none once it
-- is done) and what happened (outcome) are different tables, so that the polled one stays tiny.

create sequence sluice.ticket as bigint cache 1;  -- the fencing number of loads: higher at every claim of any job

create table sluice.release (
  release_id   bigint generated always as identity primary key,
  content_hash text not null unique,
  state        text not null check (state in ('STAGED', 'CANARY', 'CURRENT', 'DRAINING', 'DRAINED', 'RETIRED', 'REJECTED')),
  label        text,
  engine       text not null,
  created_at   timestamptz not null default now()
);

create table sluice.release_file (
  release_id bigint not null references sluice.release on delete cascade,
  path       text not null,
  content    bytea not null,
  primary key (release_id, path)
);

create table sluice.run (
  run_id      bigint generated always as identity primary key,
  pipeline    text not null,
  kind        text not null check (kind in ('batch', 'load')),
  target      text,                                     -- of a load
  parent_id   bigint references sluice.run on delete cascade,  -- the batch that asked for a load
  release_id  bigint not null references sluice.release,
  state       text not null check (state in ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
  pending     integer not null check (pending >= 0),    -- jobs that are not done yet
  run_at      timestamptz not null,                     -- what the SQL sees as _run_at
  created_at  timestamptz not null,
  started_at  timestamptz,
  finished_at timestamptz,
  error       jsonb
);
create index run_recent on sluice.run (pipeline, run_id desc);
create index run_parent on sluice.run (parent_id) where parent_id is not null;

create table sluice.lane (
  lane_id       bigint generated always as identity primary key,
  pipeline      text not null,
  stage         text not null,
  release_id    bigint not null default 0,              -- 0: any release
  class         smallint not null default 0,            -- lower is more urgent
  weight        real not null default 1 check (weight > 0),  -- of its pipeline, when slots are shared
  paused        boolean not null default false,
  unique (pipeline, stage, release_id, class)
);

create table sluice.worker (
  worker_id  bigint generated always as identity primary key,
  release_id bigint,
  host       text not null,
  pid        integer not null,
  engine     text not null,
  slots      integer not null,
  serves_one_run boolean not null,                      -- it leaves with the run that it was started for
  started_at timestamptz not null default now()
);

create table sluice.beat (
  worker_id  bigint primary key references sluice.worker on delete cascade,
  beat_at    timestamptz not null,
  expires_at timestamptz not null,
  has_session_lock boolean not null,                    -- whether the lack of one means a crash
  draining   boolean not null default false
) with (fillfactor = 50);

create table sluice.job (
  job_id       bigint generated always as identity primary key,
  run_id       bigint,                                  -- no foreign keys: their checks would cost each insert a tenth
  lane_id      bigint not null,
  kind         text not null,
  label        text not null,
  payload      jsonb not null,
  max_attempts integer not null check (max_attempts > 0),
  time_limit   interval,
  live_key     text,
  created_at   timestamptz not null
);
create index job_run on sluice.job (run_id) where run_id is not null;

-- The only polled table. Oldest first is by the number of the job: a retry stands where its job always stood.
create table sluice.ready (
  lane_id bigint not null,
  job_id  bigint not null,
  attempt integer not null,                             -- attempts charged so far
  epoch   bigint not null,
  since   timestamptz not null,
  primary key (lane_id, job_id)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);

-- What ends a job's lease needs no look at the job: its run and its key stand here as well.
create table sluice.lease (
  job_id      bigint primary key,
  epoch       bigint not null,
  ticket      bigint not null,
  worker_id   bigint not null,
  lane_id     bigint not null,
  run_id      bigint,
  attempt     integer not null,
  claimed_at  timestamptz not null,
  deadline_at timestamptz,
  live_key    text,
  cancelled   boolean not null default false            -- its attempt is asked to end
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
create index lease_worker on sluice.lease (worker_id);

create table sluice.later (
  job_id  bigint primary key,
  run_at  timestamptz not null,
  lane_id bigint not null,
  attempt integer not null,
  epoch   bigint not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
create index later_due on sluice.later (run_at);

create table sluice.edge (
  upstream_id  bigint not null,
  dependent_id bigint not null,
  primary key (upstream_id, dependent_id)
);
create index edge_dependent on sluice.edge (dependent_id);

create table sluice.blocked (
  job_id  bigint primary key,
  pending integer not null,
  lane_id bigint not null
) with (fillfactor = 70);

create table sluice.dead (
  job_id  bigint primary key,
  lane_id bigint not null,
  attempt integer not null,
  epoch   bigint not null,
  cancelled boolean not null default false,             -- ended by a person; else by its failures
  since   timestamptz not null
);

create table sluice.outcome (
  job_id      bigint not null,
  attempt     integer not null,
  epoch       bigint not null,
  status      text not null,
  worker_id   bigint,
  started_at  timestamptz not null,
  finished_at timestamptz not null,
  detail      jsonb
) partition by range (finished_at);
create table sluice.outcome_rest partition of sluice.outcome default;
-- Jobs end about in the order of their numbers: ranges of pages find a job's history, for a hundredth of a B-tree's cost.
create index outcome_job on sluice.outcome using brin (job_id) with (pages_per_range = 16, autosummarize = on);

-- Makes the partition of one day (UTC), unless it is there or the day's first rows stand in the rest already.
create function sluice.outcome_day(day date) returns boolean language plpgsql as $$
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
  return true;
end $$;
select sluice.outcome_day(((now() at time zone 'UTC')::date + n)::date) from generate_series(0, 2) as n;

create table sluice.mark (
  job_id bigint not null,
  step   text not null,
  epoch  bigint not null,
  format text not null,
  state  jsonb not null,
  at     timestamptz not null,
  primary key (job_id, step)
);

create table sluice.progress (
  job_id bigint primary key,
  epoch  bigint not null,
  state  jsonb not null,
  at     timestamptz not null
) with (fillfactor = 50);

create table sluice.live_key (
  key    text primary key,
  job_id bigint not null
);

create table sluice.permit (
  key    text primary key,
  job_id bigint not null,
  epoch  bigint not null
);

create table sluice.job_log (
  log_id  bigint generated always as identity primary key,
  job_id  bigint not null,
  epoch   bigint not null,
  at      timestamptz not null,
  level   text not null,
  message text not null
);
create index job_log_job on sluice.job_log (job_id, log_id);

create table sluice.event (
  event_id bigint generated always as identity primary key,
  kind     text not null,
  pipeline text,
  run_id   bigint,
  job_id   bigint,
  message  text not null,
  detail   jsonb,
  at       timestamptz not null
);
create index event_run on sluice.event (run_id) where run_id is not null;

create table sluice.outbox (
  outbox_id    bigint generated always as identity primary key,
  kind         text not null,
  pipeline     text not null,
  run_id       bigint,
  body         jsonb not null,
  created_at   timestamptz not null,
  channel      integer,                                 -- null: not yet spread to the rules of notify
  attempt      integer not null default 0,
  next_at      timestamptz not null,
  delivered_at timestamptz,
  given_up_at  timestamptz,
  error        text
);
create index outbox_open on sluice.outbox (next_at) where delivered_at is null and given_up_at is null;

create view sluice.job_state as
select j.job_id, j.run_id, j.lane_id, j.kind, j.label, j.max_attempts, j.created_at,
  case when l.job_id is not null then 'LEASED' when r.job_id is not null then 'READY' when t.job_id is not null then 'LATER'
       when b.job_id is not null then 'BLOCKED' when d.cancelled then 'CANCELLED'
       when d.job_id is not null then 'DEAD' else 'DONE' end as state,
  coalesce(l.attempt, r.attempt, t.attempt, d.attempt) as attempt,
  coalesce(l.epoch, r.epoch, t.epoch, d.epoch) as epoch,
  l.worker_id, l.claimed_at, t.run_at
from sluice.job j
left join sluice.lease l on l.job_id = j.job_id
left join sluice.ready r on r.lane_id = j.lane_id and r.job_id = j.job_id
left join sluice.later t on t.job_id = j.job_id
left join sluice.blocked b on b.job_id = j.job_id
left join sluice.dead d on d.job_id = j.job_id;

-- Puts a job without a run into the queue, in the caller's own transaction, from any language. Returns its number; with a
-- unique key that a living job has already, that job's.
--   kind        what is to be done: the name that a worker's handler is registered under
--   pipeline    whose share of the workers it takes: pipelines with waiting jobs are served by turns
--   unique_key  at most one job with this key at a time, from here until it is done, dead or cancelled
--   run_at      not before
--   class       lower is more urgent; a lane of a lower class is served first, always
--   wake        tell the workers at commit, so that an idle one starts at once instead of at its next look (200 ms). Commits
--               that do so pass one after the other, in the whole server: leave it off where many transactions enqueue
-- It runs with its owner's rights, so that an application's role needs none on the tables: usage on the schema and execute
-- on this function are granted to it, and to nobody else.
create function sluice.enqueue(
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
      and l.release_id = 0;
    exit when found;
    insert into sluice.lane (pipeline, stage, class, paused)
    values (enqueue.pipeline, enqueue.kind, enqueue.class,
      coalesce((select bool_and(o.paused) from sluice.lane o where o.pipeline = enqueue.pipeline), false))
    on conflict (pipeline, stage, release_id, class) do nothing;
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
revoke all on function sluice.enqueue from public;
