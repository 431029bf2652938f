-- Deletes what the directory's definitions became before anything was deployed, with their files, where no run and no schedule names
-- them and they were last registered more than $1 seconds ago. Returns how many.
-- Locks: the rows it deletes. Reads all runs: not for what is asked all the time.
with gone as (
  delete from sluice.release r
  where r.state = 'IMPLICIT' and r.changed_at < clock_timestamp() - make_interval(secs => $1::double precision)
    and not exists (select from sluice.run u where u.release_id = r.release_id)
    and not exists (select from sluice.schedule s where s.release_id = r.release_id)
  returning r.release_id
)
select count(*) as releases from gone
