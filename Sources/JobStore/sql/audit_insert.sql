-- One line of the audit trail: $1 actor, $2 action, $3 release, $4 reason, $5 and $6 what was so before and after, as JSON.
insert into sluice.audit (at, actor, action, release_id, reason, before, after)
values (clock_timestamp(), $1, $2, $3::bigint, $4, $5::jsonb, $6::jsonb)
