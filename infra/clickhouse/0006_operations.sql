-- What stopped a partition, and who decided what about it: the audit of every message left out.

CREATE TABLE operations (
    type LowCardinality(String), topic LowCardinality(String), partition UInt32, offset UInt64,
    action LowCardinality(String), `by` String, at DateTime64(6, 'UTC'), record String,
    _topic LowCardinality(String), _partition UInt32, _offset UInt64, stored_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree ORDER BY _offset;
