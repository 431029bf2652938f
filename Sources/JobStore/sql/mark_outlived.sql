-- Whether job $1 died or was cancelled after its checkpoint was written, and lives because it was retried by hand: a row where it did.
-- Epochs tell the order, whatever the clock did.
-- Locks: none. Index: the primary key of mark, outcome_job.
select m.job_id from sluice.mark m
where m.job_id = $1::bigint and m.step = '' and exists (
  select from sluice.outcome o where o.job_id = $1::bigint and o.epoch >= m.epoch and o.status in ('dead', 'cancelled'))
