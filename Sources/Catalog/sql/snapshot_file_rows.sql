-- How many rows the files of each snapshot from number $3 to $4 of dataset $2 of pipeline $1 have; those without rows are left out.
-- Index: snapshot_dataset, the primary key of data_file.
select s.number, sum(f.rows)::bigint as rows
from sluice.snapshot s join sluice.data_file f on f.snapshot_id = s.snapshot_id
where s.pipeline = $1 and s.dataset = $2 and s.number between $3::bigint and $4::bigint
group by s.number having sum(f.rows) > 0
order by s.number
