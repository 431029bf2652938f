-- A script of pgbench: a thousand rows a transaction into a table with nothing but a key and a payload.
insert into peer.flat (payload) select '{"n":1}' from generate_series(1, 1000);
