-- The process that decides now; no row: none does.
select l.holder from sluice.scaling_lead l where l.until > now()
