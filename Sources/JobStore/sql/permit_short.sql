-- The keys that somebody waits for. One probe of an index a key. Locks: none. Index: later_waiting.
select m.key from sluice.permit_limit m where exists (select from sluice.later t where t.waits_for = m.key offset 0)
