-- Raises the tickets above $3 while (job $1, epoch $2) holds its lease: a target has seen a higher ticket than this
-- database has drawn, so this database was restored from a backup or made anew. Never lowers them.
-- Not to the upper half of all numbers: the ledger is the target's, and a sequence at its end would end every claim.
-- Runs under the claims' lock taken exclusively, so that no claim draws a ticket meanwhile.
select setval('sluice.ticket', greatest($3::bigint, (select last_value from sluice.ticket))) as ticket
from sluice.lease where job_id = $1::bigint and epoch = $2::bigint and $3::bigint < 4611686018427387904
