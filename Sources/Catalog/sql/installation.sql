-- This installation's name in the ledgers of its targets; drawn once.
with born as (
  insert into sluice.installation (installation) values ($1) on conflict (only_one) do nothing returning installation
)
select installation from born union all select installation from sluice.installation limit 1
