-- Forgets segments whose files are gone; one that is live stays.
delete from sluice.history_segment where segment_id = any ($1::bigint[]) and not is_live
