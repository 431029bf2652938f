--! compatible
-- What one job, one client or one clock could do to all the others: bounds for every value that a claim, the reaper or a retry
-- calculates with, and marks for jobs that must run alone because their worker ended under them.

-- First, so that no other session writes a value that is out of bounds and that the changes of the rows do not see.
lock table sluice.job, sluice.release, sluice.later in access exclusive mode;

-- Rows that are there already get the nearest value that is allowed. An interval keeps months, days and time apart: each has a bound
-- of its own, because one of a million years less as many days compares as short, and no time can be added to it.
update sluice.job set
  time_limit = case when abs(extract(year from time_limit)) > 10 or abs(extract(day from time_limit)) > 3660
    or abs(extract(hour from time_limit)) > 87840 then interval '10 years'
    else least(greatest(time_limit, interval '0'), interval '10 years') end,
  max_attempts = least(max_attempts, 10000), label = left(label, 200)
where time_limit not between interval '0' and interval '10 years' or max_attempts > 10000 or length(label) > 200
  or abs(extract(year from time_limit)) > 10 or abs(extract(day from time_limit)) > 3660 or abs(extract(hour from time_limit)) > 87840;
-- The number keeps two labels apart that begin alike.
update sluice.release set label = left(label, 180) || '~' || release_id where length(label) > 200;
update sluice.later set run_at = now() + interval '100 years' where run_at = 'infinity';
update sluice.later set run_at = now() where run_at = '-infinity';

-- Not valid: rows from before are not looked through again; they were changed above, or do no harm.
alter table sluice.job
  add constraint job_time_limit check (time_limit between interval '0' and interval '10 years' and abs(extract(year from time_limit)) <= 10
    and abs(extract(day from time_limit)) <= 3660 and abs(extract(hour from time_limit)) <= 87840) not valid,
  add constraint job_max_attempts_bound check (max_attempts <= 10000) not valid,
  add constraint job_kind_length check (length(kind) <= 200) not valid,
  add constraint job_label_length check (length(label) <= 200) not valid,
  add constraint job_live_key_length check (octet_length(live_key) <= 2000) not valid,
  add constraint job_payload_size check (octet_length(payload::text) <= 1048576) not valid;
alter table sluice.release add constraint release_label_length check (length(label) <= 200) not valid;
alter table sluice.later add constraint later_run_at_finite check (isfinite(run_at)) not valid;

-- In words, since an earlier engine lets such a label through.
create function sluice.refuse_long_label() returns trigger language plpgsql as $$
begin
  raise exception 'the label of a release has at most 200 characters'
    using errcode = 'check_violation', constraint = 'release_label_length', table = 'release', schema = 'sluice';
end $$;
create trigger release_label_length before insert or update of label on sluice.release for each row
  when (length(new.label) > 200) execute function sluice.refuse_long_label();

-- Of new lanes alone: a lane is changed as long as it is there, and one with a longer name may be there already.
create function sluice.refuse_long_lane() returns trigger language plpgsql as $$
begin
  if not exists (select from sluice.lane l where l.pipeline = new.pipeline and l.stage = new.stage) then
    raise exception 'a pipeline and a stage have at most 200 characters'
      using errcode = 'check_violation', constraint = 'lane_name_length', table = 'lane', schema = 'sluice';
  end if;
  return new;
end $$;
create trigger lane_name_length before insert on sluice.lane for each row
  when (length(new.pipeline) > 200 or length(new.stage) > 200) execute function sluice.refuse_long_lane();

-- Jobs under which something ended that was not theirs alone to end. Rows of jobs that have ended go with the next retention.
create table sluice.suspect (
  job_id       bigint primary key,
  runs_alone   boolean not null default false,          -- its worker's process ended, with other jobs in hand: next it has one to itself
  lost_session boolean not null default false,          -- its database session ended without a word; a second time is charged
  since        timestamptz not null,
  waiting_worker bigint,                                -- keeps slots free for the job: one worker at a time
  waiting_at     timestamptz                            -- when it last said so
);
-- Claimed by a worker that has nothing else in hand and takes nothing else: the end of its process is charged to this job. Null:
-- claimed by an engine from before this column. It does not let jobs run alone, so each of them is charged.
alter table sluice.lease add column alone boolean;

-- When the delay of a retry or a snooze began. A time in the future tells that the clock was set back; null: run_at is the caller's.
alter table sluice.later add column put_off_at timestamptz;
create index later_put_off on sluice.later (put_off_at) where put_off_at is not null;

-- Since when no job of the lane is left; see lane_expire.
alter table sluice.lane add column idle_since timestamptz;

-- As it was, but for the bounds.
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
    when length(label) > 200 then 'a label has at most 200 characters'
    when payload is null then 'a payload is not null: leave it out where there is none'
    when octet_length(payload::text) > 1048576 then 'a payload has at most 1 MiB: store the data elsewhere and name it'
    when unique_key = '' then 'a unique key is not empty: leave it out where there is none'
    when octet_length(unique_key) > 2000 then 'a unique key has at most 2000 bytes: use a hash of it'
    when not isfinite(run_at) or run_at > now() + interval '100 years' then 'run_at is at most 100 years from now'
    when class is null or class not between -32768 and 32767 then 'class is a number from -32768 to 32767'
    when max_attempts is null or max_attempts < 1 then 'max_attempts is at least 1'
    when max_attempts > 10000 then 'max_attempts is at most 10000'
    when time_limit <= interval '0' then 'time_limit is longer than nothing: leave it out for none'
    when time_limit > interval '10 years' or abs(extract(year from time_limit)) > 10 or abs(extract(day from time_limit)) > 3660
      or abs(extract(hour from time_limit)) > 87840 then 'time_limit is at most 10 years: leave it out for none'
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
