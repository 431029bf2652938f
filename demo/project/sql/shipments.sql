-- The partner's deliveries; moves between its own warehouses are no shipments of ours.
select shipment_id, order_id, carrier, weight_kg, shipped_at
from shipments
where coalesce(kind, '') <> 'internal'
