-- The version, and the settings that decide what a commit costs.
select name, setting from pg_settings
where name in ('server_version', 'fsync', 'synchronous_commit', 'full_page_writes', 'shared_buffers', 'wal_level',
  'max_wal_size', 'wal_sync_method', 'autovacuum_naptime')
order by name
