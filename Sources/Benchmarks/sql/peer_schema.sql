-- The ceiling that the queue is measured beside: the same split of ready, lease and outcome, with nothing else to it.
-- No lanes' rules, no runs, no dependencies, no fence but the epoch, no index that claim and complete do not need.
create schema peer;
create table peer.ready (
  lane_id bigint not null,
  job_id  bigint not null,
  attempt integer not null,
  epoch   bigint not null,
  primary key (lane_id, job_id)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
create table peer.lease (
  job_id     bigint primary key,
  epoch      bigint not null,
  attempt    integer not null,
  worker_id  integer not null,
  lane_id    bigint not null,
  claimed_at timestamptz not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
create table peer.outcome (
  job_id      bigint not null,
  attempt     integer not null,
  epoch       bigint not null,
  status      smallint not null,
  worker_id   integer not null,
  started_at  timestamptz not null,
  finished_at timestamptz not null
);
create table peer.flat (
  id      bigint generated always as identity primary key,
  payload text not null
);
