-- The last time that a release became current, or that a canary ended without becoming it: what was done, with which release, why,
-- and the name of the release that it took the place of, or that the canary had.
-- Index: the primary key of audit, backwards.
select at::text, actor, action, release_id, reason, before, after, before ->> 'name' as before_name
from sluice.audit
where action in ('promote', 'rollback') or action = 'reject' and before ->> 'state' = 'CANARY'
order by audit_id desc limit 1
