-- Deletes decisions, settled predictions and overrides that ended more than $1 seconds ago, at most $2 of each. The last decision stays.
-- Returns how many.
-- Locks: the rows it deletes. Index: scaling_decision_time, scaling_prediction_time; overrides are few.
with bound as materialized (
  select coalesce($3::timestamptz, now()) - make_interval(secs => $1::double precision) as at
), decisions as (
  delete from sluice.scaling_decision where decision_id = any (array(
    select d.decision_id from sluice.scaling_decision d
    where d.decided_at < (select at from bound)
      and d.decision_id <> (select n.decision_id from sluice.scaling_decision n order by n.decided_at desc, n.decision_id desc limit 1)
    order by d.decided_at limit $2::bigint))
  returning 1
), predictions as (
  delete from sluice.scaling_prediction where prediction_id = any (array(
    select p.prediction_id from sluice.scaling_prediction p where p.settled_at < (select at from bound)
    order by p.settled_at limit $2::bigint))
  returning 1
), overrides as (
  delete from sluice.scaling_override where override_id = any (array(
    select o.override_id from sluice.scaling_override o where least(o.ended_at, o.expires_at) < (select at from bound)
    order by o.override_id limit $2::bigint))
  returning 1
)
select (select count(*) from decisions) + (select count(*) from predictions) + (select count(*) from overrides) as rows
