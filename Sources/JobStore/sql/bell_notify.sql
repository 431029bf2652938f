-- Tells who listens that the lanes $1 (numbers, with commas between) have ready work; or probes a listener.
select pg_notify('sluice_ready', $1)
