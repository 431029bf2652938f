-- Brings back what was dated by a clock that has been set back since: more than a minute in the future. Beats, leases and the delays
-- of retries and snoozes keep their length and begin now; looks at canaries begin now. Returns how many rows of each there were.
-- A worker that lives beats again within seconds; one that is dead runs out within a lease.
-- Locks: the rows it changes. Index: later_put_off; the other tables are small.
with time as materialized (
  select coalesce($1::timestamptz, now()) as at, coalesce($1::timestamptz, now()) + interval '1 minute' as latest
), beats as (
  update sluice.beat b set beat_at = t.at, expires_at = t.at + (b.expires_at - b.beat_at) from time t where b.beat_at > t.latest
  returning 1
), leases as (
  update sluice.lease l set claimed_at = t.at, deadline_at = t.at + (l.deadline_at - l.claimed_at) from time t
  where l.claimed_at > t.latest
  returning 1
), delays as (
  update sluice.later d set run_at = t.at + (d.run_at - d.put_off_at), put_off_at = t.at,
    waits_since = least(d.waits_since, t.at)
  from time t where d.put_off_at > t.latest
  returning 1
), looks as (
  update sluice.release r set looked_at = least(r.looked_at, t.at), changed_at = least(r.changed_at, t.at),
    canary_since = least(r.canary_since, t.at)
  from time t where greatest(r.looked_at, r.changed_at, r.canary_since) > t.latest
  returning 1
)
select (select count(*) from beats) as beats, (select count(*) from leases) as leases, (select count(*) from delays) as delays,
  (select count(*) from looks) as looks
