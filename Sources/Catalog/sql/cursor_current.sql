-- A stream's cursor. Index: cursor_stream.
select value from sluice.cursor
where pipeline = $1 and source = $2 and stream = $3 order by cursor_id desc limit 1
