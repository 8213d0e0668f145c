-- What was given out to be paid. An export counts where `_offset = place`: of two made at once the second does not.

CREATE TABLE payout_exports (
    export_id String, place UInt64, period LowCardinality(String), `by` String, at DateTime64(6, 'UTC'),
    statement_ids Array(String), exported_before UInt64, blocked UInt64, over_limit UInt64,
    file String CODEC(ZSTD(3)), sha256 String,
    _topic LowCardinality(String), _partition UInt32, _offset UInt64, stored_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree ORDER BY _offset;
