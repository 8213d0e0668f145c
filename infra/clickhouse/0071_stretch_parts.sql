-- The sums of a stretch are those of several builds, which add up: what came since is added beside them. `ends` are the
-- offsets as `api.queries.stretches` puts them, and no row of the day is below `first`. Until there are new ones, rows are read.
DROP TABLE IF EXISTS day_stretches;
CREATE TABLE day_stretches (
    day Date32, build UInt64, mark UInt64, builds Array(UInt64), first UInt64, ends Array(UInt64)
) ENGINE = ReplacingMergeTree(build) ORDER BY day;
-- A deal that is counted anew counts less than nothing in the part where it stood otherwise before.
ALTER TABLE day_deals MODIFY COLUMN deals Int64;

-- What takes an accrual back follows it on the log: so by its place, for few of years matter to a day.
DROP VIEW IF EXISTS taken_back_seen;
DROP TABLE IF EXISTS taken_back_by_place;
CREATE TABLE taken_back_by_place (
    transfer_id String, _topic LowCardinality(String), _partition UInt32, _offset UInt64
) ENGINE = ReplacingMergeTree ORDER BY (_topic, _partition, _offset, transfer_id);
INSERT INTO taken_back_by_place SELECT assumeNotNull(reverses), _topic, _partition, _offset FROM transfers
WHERE reverses IS NOT NULL AND NOT mapContains(factors, 'share');
EXCHANGE TABLES taken_back AND taken_back_by_place;
DROP TABLE taken_back_by_place;
CREATE MATERIALIZED VIEW taken_back_seen TO taken_back AS
SELECT assumeNotNull(reverses) AS transfer_id, _topic, _partition, _offset FROM transfers
WHERE reverses IS NOT NULL AND NOT mapContains(factors, 'share');
