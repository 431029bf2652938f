-- The sink of the measurement of crashes: when each attempt began, by the database's clock, and which jobs may end.
create schema bench;
create table bench.start (
  job_id bigint not null,
  epoch  bigint not null,
  pid    integer not null,
  at     timestamptz not null default clock_timestamp()
);
create table bench.finish (job_id bigint primary key);
