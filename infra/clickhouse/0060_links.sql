-- Clicks on tracking links. One that is sent again after a crash is one row.
CREATE TABLE IF NOT EXISTS clicks (
    click_id String, link LowCardinality(String), ib_id LowCardinality(String), campaign LowCardinality(String),
    occurred_at DateTime64(3, 'UTC'), network String, bot LowCardinality(String), is_duplicate Bool,
    params Map(String, String), dropped UInt32,
    _topic LowCardinality(String), _partition UInt32, _offset UInt64, stored_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree ORDER BY (link, occurred_at, click_id);

-- The link a client came by, and of its registration how it was decided whose client it is.
ALTER TABLE milestones
    ADD COLUMN IF NOT EXISTS link LowCardinality(String),
    ADD COLUMN IF NOT EXISTS attribution LowCardinality(String),
    ADD COLUMN IF NOT EXISTS click_id String,
    ADD COLUMN IF NOT EXISTS crm_ib LowCardinality(String),
    ADD INDEX IF NOT EXISTS by_link link TYPE minmax GRANULARITY 1,
    ADD INDEX IF NOT EXISTS by_attribution attribution TYPE set(8) GRANULARITY 1;
ALTER TABLE clients
    ADD COLUMN IF NOT EXISTS click_ids Array(String),
    ADD COLUMN IF NOT EXISTS genuine_clicks Array(String);
