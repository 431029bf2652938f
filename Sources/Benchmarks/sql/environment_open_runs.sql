-- The runs of an environment that have not ended.
select count(*) as n from sluice.run where state in ('queued', 'running')
