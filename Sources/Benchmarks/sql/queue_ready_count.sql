-- How many jobs are ready: what a benchmark of enqueueing counts in the sink.
select count(*) as jobs from sluice.ready
