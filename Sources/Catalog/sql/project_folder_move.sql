-- Gives this database to a folder ($1 to $5), if it still belongs to the identity $6 in the file of the inode $7. Locks the
-- one row: of two folders that take it at once, the second finds it changed.
update sluice.project_folder
set identity = $1, environment = $2, folder = $3, host = $4, inode = $5, seen_at = now()
where only_one and identity = $6 and inode = $7 returning identity
