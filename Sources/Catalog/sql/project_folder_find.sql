-- The folder that this database belongs to; no row where none has claimed it. One row, by its primary key.
select identity, environment, folder, host, inode from sluice.project_folder where only_one
