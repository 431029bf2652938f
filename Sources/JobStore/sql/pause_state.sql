-- Since when pipeline $1 is paused; nothing where it is not.
select since::text from sluice.pause where pipeline = $1
