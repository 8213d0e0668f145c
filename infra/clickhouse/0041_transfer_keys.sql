-- Where a transfer is, by its id, its cause, and what it takes back. The key of `transfers` begins with the day and the
-- IB, so that a row is one granule once these are known; without them its id would be looked for in every month.
-- Of an id only a hash of 32 bits is kept: another id with the same costs a granule, and no row, for readers ask for the
-- id as well. A repeated insert gives the same rows, of which one stays.
DROP VIEW IF EXISTS transfer_keys_seen;
CREATE TABLE IF NOT EXISTS transfer_keys (
    key UInt32 CODEC(Delta, ZSTD(1)), day Date32 CODEC(ZSTD(1)), ib_id LowCardinality(String)
) ENGINE = ReplacingMergeTree ORDER BY (key, day, ib_id) SETTINGS index_granularity = 2048;
CREATE MATERIALIZED VIEW transfer_keys_seen TO transfer_keys AS
SELECT DISTINCT
    toUInt32(cityHash64(arrayJoin(arrayFilter(id -> id != '', [transfer_id, caused_by, ifNull(reverses, '')])))) AS key,
    toDate32(occurred_at) AS day, ib_id
FROM transfers;
INSERT INTO transfer_keys SELECT
    toUInt32(cityHash64(arrayJoin(arrayFilter(id -> id != '', [transfer_id, caused_by, ifNull(reverses, '')])))) AS key,
    toDate32(occurred_at) AS day, ib_id
FROM transfers;

-- What these were for is found by the keys.
ALTER TABLE transfers DROP INDEX IF EXISTS by_id;
ALTER TABLE transfers DROP INDEX IF EXISTS by_cause;
ALTER TABLE transfers DROP INDEX IF EXISTS by_reversed;
