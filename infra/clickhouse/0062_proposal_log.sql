-- Proposals as a log of what people did: `commission.proposals.log` decides which records count, where
-- `_offset = place`; these rows only keep what was said. The rows that a proposal would post stand before it.

CREATE TABLE IF NOT EXISTS proposal_log (
    type LowCardinality(String), proposal_id String, place UInt64, `by` String, at DateTime64(6, 'UTC'),
    record String CODEC(ZSTD(3)),
    _topic LowCardinality(String), _partition UInt32, _offset UInt64, stored_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree ORDER BY _offset;

CREATE TABLE IF NOT EXISTS proposal_rows (
    rows_id String, part UInt32, rows String CODEC(ZSTD(3)),
    _topic LowCardinality(String), _partition UInt32, _offset UInt64, stored_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree ORDER BY _offset;

-- Before there was a log they were these.
DROP TABLE IF EXISTS proposals;
DROP TABLE IF EXISTS proposal_events;
