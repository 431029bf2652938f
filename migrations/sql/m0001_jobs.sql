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
  paused        boolean not null default false,
  max_in_flight integer,
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
  run_id       bigint references sluice.run on delete cascade,
  lane_id      bigint not null references sluice.lane,
  kind         text not null,
  label        text not null,
  payload      jsonb not null,
  max_attempts integer not null check (max_attempts > 0),
  time_limit   interval,
  live_key     text,
  created_at   timestamptz not null
);
create index job_run on sluice.job (run_id) where run_id is not null;

create table sluice.ready (
  lane_id  bigint not null,
  ready_id bigint generated always as identity,
  job_id   bigint not null,
  attempt  integer not null,                            -- attempts charged so far
  epoch    bigint not null,
  since    timestamptz not null,
  primary key (lane_id, ready_id)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
create unique index ready_job on sluice.ready (job_id);

create table sluice.lease (
  job_id      bigint primary key,
  epoch       bigint not null,
  ticket      bigint not null,
  worker_id   bigint not null,
  lane_id     bigint not null,
  attempt     integer not null,
  claimed_at  timestamptz not null,
  deadline_at timestamptz,
  cancelled   boolean not null default false
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
create index lease_worker on sluice.lease (worker_id);

create table sluice.later (
  job_id  bigint primary key,
  run_at  timestamptz not null,
  lane_id bigint not null,
  attempt integer not null,
  epoch   bigint not null
);
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
create index outcome_job on sluice.outcome (job_id, epoch);

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
       when b.job_id is not null then 'BLOCKED' when d.job_id is not null then 'DEAD' else 'DONE' end as state,
  coalesce(l.attempt, r.attempt, t.attempt, d.attempt) as attempt,
  coalesce(l.epoch, r.epoch, t.epoch, d.epoch) as epoch,
  l.worker_id, l.claimed_at, t.run_at
from sluice.job j
left join sluice.lease l on l.job_id = j.job_id
left join sluice.ready r on r.job_id = j.job_id
left join sluice.later t on t.job_id = j.job_id
left join sluice.blocked b on b.job_id = j.job_id
left join sluice.dead d on d.job_id = j.job_id;
