-- The audit trail of release $1 (null: of all), newest first, at most $2.
select at::text, actor, action, release_id, reason, before, after from sluice.audit
where $1::bigint is null or release_id = $1::bigint order by audit_id desc limit $2::integer
