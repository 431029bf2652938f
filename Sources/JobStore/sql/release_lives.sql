-- Whether a run may begin with release $1. Runs after claim_lock, so that it stays so until this transaction ends.
select state in ('CURRENT', 'CANARY') as takes_runs from sluice.release where release_id = $1::bigint
