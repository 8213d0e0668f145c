-- Releases are few, and an explanation of a held accrual looks for them; a client's rows are in few granules.
ALTER TABLE transfers ADD INDEX IF NOT EXISTS by_code code TYPE set(8) GRANULARITY 1;
ALTER TABLE transfers ADD INDEX IF NOT EXISTS by_client client_id TYPE bloom_filter(0.01) GRANULARITY 1;
ALTER TABLE transfers MATERIALIZE INDEX by_code;
ALTER TABLE transfers MATERIALIZE INDEX by_client;
