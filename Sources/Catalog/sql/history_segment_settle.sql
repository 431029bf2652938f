-- The segments $3 are those of the dataset from now on, and no others. Index: history_segment_dataset.
-- Locks the rows that change; two curations of a dataset never run at the same time.
update sluice.history_segment set is_live = segment_id = any ($3::bigint[])
where pipeline = $1 and dataset = $2 and is_live <> (segment_id = any ($3::bigint[]))
