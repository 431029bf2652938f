-- The attempt of the job that may not end yet.
select s.job_id, s.epoch, s.pid from bench.start s
where not exists (select from bench.finish f where f.job_id = s.job_id)
order by s.at desc
limit 1
