-- The segments of the history of a dataset's streams, also those that are to be removed. Index: history_segment_dataset.
select segment_id, source, stream, first_object, objects, identity, content, key, bytes, sha256, is_live
from sluice.history_segment where pipeline = $1 and dataset = $2 order by segment_id
