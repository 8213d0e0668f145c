-- Attempts come from the log of the dispatcher. One that was asked for again counts its attempts anew.
ALTER TABLE postback_attempts
    ADD COLUMN IF NOT EXISTS replay String,
    ADD COLUMN IF NOT EXISTS delivery_id String,
    ADD COLUMN IF NOT EXISTS request String CODEC(ZSTD(3)),
    ADD COLUMN IF NOT EXISTS answer String CODEC(ZSTD(3)),
    ADD COLUMN IF NOT EXISTS _topic LowCardinality(String),
    ADD COLUMN IF NOT EXISTS _partition UInt32,
    ADD COLUMN IF NOT EXISTS _offset UInt64,
    MODIFY ORDER BY (endpoint, milestone_id, attempt, replay);

-- Which endpoints want a milestone depends on these.
ALTER TABLE milestones
    ADD COLUMN IF NOT EXISTS country LowCardinality(String),
    ADD COLUMN IF NOT EXISTS upline Array(String),
    ADD COLUMN IF NOT EXISTS paid_below Array(String);

-- Each event at an endpoint: what can be asked for again.
CREATE TABLE IF NOT EXISTS deliveries (
    delivery_id String, endpoint LowCardinality(String), milestone_id String, kind LowCardinality(String),
    client_id String, occurred_at DateTime64(6, 'UTC'), replay String, record String CODEC(ZSTD(3)),
    _topic LowCardinality(String), _partition UInt32, _offset UInt64
) ENGINE = ReplacingMergeTree ORDER BY (endpoint, occurred_at, delivery_id);
