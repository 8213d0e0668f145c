-- A day that is being written: sums of its rows up to some offsets of the log, one for each of `places`, which are
-- partitions of its topics as `api.queries.stretches` numbers them. What is at or above them is read by its rows.
CREATE TABLE IF NOT EXISTS day_stretches (
    day Date32, build UInt64, mark UInt64, places Array(UInt64), offsets Array(UInt64)
) ENGINE = ReplacingMergeTree(build) ORDER BY day;

-- Which accruals were taken back, now with the place of what took them back: so that it can be told what stood then.
DROP VIEW IF EXISTS taken_back_seen;
DROP TABLE IF EXISTS taken_back_placed;
CREATE TABLE taken_back_placed (
    transfer_id String, _topic LowCardinality(String), _partition UInt32, _offset UInt64
) ENGINE = ReplacingMergeTree ORDER BY (transfer_id, _topic, _partition, _offset);
INSERT INTO taken_back_placed SELECT assumeNotNull(reverses), _topic, _partition, _offset FROM transfers
WHERE reverses IS NOT NULL AND NOT mapContains(factors, 'share');
EXCHANGE TABLES taken_back AND taken_back_placed;
DROP TABLE taken_back_placed;
CREATE MATERIALIZED VIEW taken_back_seen TO taken_back AS
SELECT assumeNotNull(reverses) AS transfer_id, _topic, _partition, _offset FROM transfers
WHERE reverses IS NOT NULL AND NOT mapContains(factors, 'share');
