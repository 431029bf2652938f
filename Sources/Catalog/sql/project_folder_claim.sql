-- Gives this database to a folder where it belongs to none. No row where another was faster; the caller looks again.
insert into sluice.project_folder (identity, environment, folder, host, inode) values ($1, $2, $3, $4, $5)
on conflict (only_one) do nothing returning identity
