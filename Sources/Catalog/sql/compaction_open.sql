-- Begins a compaction of the $5 snapshots from number $3 to $4 of dataset $2 of pipeline $1, whose objects go into the folder $6.
-- Written before the first object, so that what a crash leaves is found by its folder.
insert into sluice.compaction (pipeline, dataset, first_number, last_number, snapshots, state, folder, job_id, changed_at)
values ($1, $2, $3::bigint, $4::bigint, $5::integer, 'open', $6, $7::bigint, now())
returning compaction_id
