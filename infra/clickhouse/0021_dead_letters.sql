-- Dead letters as they were read, to be read again, and what people decided about them.

ALTER TABLE dead_letters ADD COLUMN payload_base64 String AFTER payload;
ALTER TABLE dead_letters ADD COLUMN payload_bytes UInt64 AFTER payload_base64;
ALTER TABLE dead_letters ADD COLUMN server LowCardinality(String) AFTER payload_bytes;
ALTER TABLE dead_letters ADD COLUMN header String AFTER server;
ALTER TABLE dead_letters ADD COLUMN is_blanked Bool AFTER header;

CREATE TABLE dead_letter_decisions (
    dead_letter_id String, action LowCardinality(String), `by` String, at DateTime64(6, 'UTC'), note String,
    payload_base64 String, became Array(String),
    _topic LowCardinality(String), _partition UInt32, _offset UInt64, stored_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree ORDER BY (dead_letter_id, at, action, `by`);
