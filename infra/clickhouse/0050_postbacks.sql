-- Attempts come from the log of the dispatcher. One that was asked for again counts its attempts anew.
ALTER TABLE postback_attempts
    ADD COLUMN replay String,
    ADD COLUMN delivery_id String,
    ADD COLUMN request String CODEC(ZSTD(3)),
    ADD COLUMN answer String CODEC(ZSTD(3)),
    ADD COLUMN _topic LowCardinality(String), ADD COLUMN _partition UInt32, ADD COLUMN _offset UInt64,
    MODIFY ORDER BY (endpoint, milestone_id, attempt, replay);

-- Which endpoints want a milestone depends on these.
ALTER TABLE milestones
    ADD COLUMN country LowCardinality(String), ADD COLUMN upline Array(String), ADD COLUMN paid_below Array(String);

-- Each event at an endpoint: what can be asked for again.
CREATE TABLE deliveries (
    delivery_id String, endpoint LowCardinality(String), milestone_id String, kind LowCardinality(String),
    client_id String, occurred_at DateTime64(6, 'UTC'), replay String, record String CODEC(ZSTD(3)),
    _topic LowCardinality(String), _partition UInt32, _offset UInt64
) ENGINE = ReplacingMergeTree ORDER BY (endpoint, occurred_at, delivery_id);
