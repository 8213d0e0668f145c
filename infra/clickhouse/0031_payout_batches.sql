-- Payouts as a log of what people did, and the answers of the books. A record counts where `_offset = place`, and what
-- it says fits what stood before it: `commission.payouts.log` decides that, these rows only keep what was said.

CREATE TABLE IF NOT EXISTS payout_log (
    type LowCardinality(String), subject_id String, place UInt64, `by` String, at DateTime64(6, 'UTC'),
    record String CODEC(ZSTD(3)),
    _topic LowCardinality(String), _partition UInt32, _offset UInt64, stored_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree ORDER BY _offset;

CREATE TABLE IF NOT EXISTS payout_answers (
    answer_id String, command LowCardinality(String), subject_id String, batch_id String, ib_id LowCardinality(String),
    is_accepted Bool, reason String, at DateTime64(6, 'UTC'),
    _topic LowCardinality(String), _partition UInt32, _offset UInt64, stored_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree(_offset) ORDER BY (batch_id, answer_id);

-- Exports of before there were batches: the topic has them.
DROP TABLE IF EXISTS payout_exports;
