-- The latest $4 values of a stream's cursor, newest first. Index: cursor_stream.
select value from sluice.cursor
where pipeline = $1 and source = $2 and stream = $3 order by cursor_id desc limit $4::bigint
