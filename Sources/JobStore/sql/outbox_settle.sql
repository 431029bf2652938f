-- Ends or puts off the delivery of message $1: $2 'delivered', 'failed' (again in $3 seconds) or 'given_up'; $4 why.
update sluice.outbox
set delivered_at = case when $2::text = 'delivered' then now() end,
  given_up_at = case when $2::text = 'given_up' then now() end,
  next_at = now() + make_interval(secs => $3::double precision), error = $4
where outbox_id = $1::bigint
