-- Orders in one spelling, without those that the shop's staff made as tests.
select order_id, customer, lower(trim(status)) as status, amount, ordered_on
from orders
where coalesce(customer, '') <> 'test'
