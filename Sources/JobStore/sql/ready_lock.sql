-- The job that a claim of one from lane $1, from the job $2 on, would take; of those that must run alone only the job $3 (null:
-- none). Keeps it from other claims until the transaction ends.
-- Locks: the ready row; others' are skipped. Index: primary keys of ready, suspect.
select r.job_id from sluice.ready r
where r.lane_id = $1::bigint and r.job_id >= $2::bigint and r.job_id <= coalesce($3::bigint, 9223372036854775807)
  and ($3::bigint is not null or (select not exists (select from sluice.suspect))
    or not exists (select from sluice.suspect s where s.job_id = r.job_id and s.runs_alone offset 0))
order by r.job_id
limit 1
for update skip locked
