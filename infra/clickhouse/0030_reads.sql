-- Tables laid for reading, and the sums of each day. A month of event time is a partition: rows of one id are in one
-- (an id has one time), so partitions are read apart; the key begins with the day, which is what sums are made of.

DROP TABLE IF EXISTS transfers_by_month;
CREATE TABLE transfers_by_month (
    transfer_id String CODEC(ZSTD(1)), code LowCardinality(String), debit LowCardinality(String),
    credit LowCardinality(String), amount Decimal(38, 8), currency LowCardinality(String), ib_id LowCardinality(String),
    occurred_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)), caused_by String CODEC(ZSTD(1)), reverses Nullable(String),
    client_id String, account_key String, revision String CODEC(ZSTD(1)), component LowCardinality(String), rule String,
    plan_id LowCardinality(String), plan_version UInt32, depth UInt16, path Array(String) CODEC(ZSTD(1)),
    symbol LowCardinality(String), lots Decimal(38, 8), period LowCardinality(String),
    matures_at Nullable(DateTime64(6, 'UTC')), factors Map(String, String) CODEC(ZSTD(1)),
    _topic LowCardinality(String), _partition UInt32, _offset UInt64 CODEC(Delta, ZSTD(1)),
    stored_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD(1)),
    INDEX by_id transfer_id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_cause caused_by TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_reversed reverses TYPE bloom_filter(0.001) GRANULARITY 1
) ENGINE = ReplacingMergeTree(_offset)
PARTITION BY toYYYYMM(occurred_at) ORDER BY (toDate32(occurred_at), ib_id, occurred_at, transfer_id);
INSERT INTO transfers_by_month SELECT * FROM transfers SETTINGS max_partitions_per_insert_block = 0;
EXCHANGE TABLES transfers AND transfers_by_month;
DROP TABLE transfers_by_month;

-- Deals come in about the order of their ids, so a day of them is in few granules.
ALTER TABLE deals ADD INDEX IF NOT EXISTS by_time occurred_at TYPE minmax GRANULARITY 1;
ALTER TABLE deals MATERIALIZE INDEX by_time;
ALTER TABLE rejections ADD INDEX IF NOT EXISTS by_time occurred_at TYPE minmax GRANULARITY 1;
ALTER TABLE rejections MATERIALIZE INDEX by_time;

-- Rows of which nothing is left: ids, no sums, so that a repeated insert changes nothing.
DROP VIEW IF EXISTS taken_back_seen;
CREATE TABLE IF NOT EXISTS taken_back (transfer_id String) ENGINE = ReplacingMergeTree ORDER BY transfer_id;
CREATE MATERIALIZED VIEW taken_back_seen TO taken_back AS
SELECT assumeNotNull(reverses) AS transfer_id FROM transfers
WHERE reverses IS NOT NULL AND NOT mapContains(factors, 'share');
INSERT INTO taken_back
SELECT assumeNotNull(reverses) FROM transfers WHERE reverses IS NOT NULL AND NOT mapContains(factors, 'share');

-- Deals whose revisions are of several days: one may be refused on one day, and paid on another.
CREATE TABLE IF NOT EXISTS moved_deals (deal_key String) ENGINE = ReplacingMergeTree ORDER BY deal_key;
INSERT INTO moved_deals
SELECT deal_key FROM deal_revisions GROUP BY deal_key HAVING uniqExact(toDate32(occurred_at)) > 1;

-- Deals that some revision of was a payment of the platform to an IB: few of millions.
DROP VIEW IF EXISTS agent_deals_seen;
CREATE TABLE IF NOT EXISTS agent_deals (deal_key String) ENGINE = ReplacingMergeTree ORDER BY deal_key;
CREATE MATERIALIZED VIEW agent_deals_seen TO agent_deals AS SELECT deal_key FROM deals WHERE kind = 'agent';
INSERT INTO agent_deals SELECT deal_key FROM deals WHERE kind = 'agent';

-- What was written last into each day of event time: `mark` grows, and is open until all of its rows are there.
DROP VIEW IF EXISTS day_marks_of_transfers;
DROP VIEW IF EXISTS day_marks_of_rejections;
CREATE TABLE IF NOT EXISTS day_marks (day Date32, mark UInt64, is_open Bool)
ENGINE = ReplacingMergeTree(mark) ORDER BY day;
CREATE MATERIALIZED VIEW day_marks_of_transfers TO day_marks AS
SELECT toDate32(occurred_at) AS day, toUInt64(toUnixTimestamp64Nano(now64(9))) AS mark, true AS is_open
FROM transfers GROUP BY day;
CREATE MATERIALIZED VIEW day_marks_of_rejections TO day_marks AS
SELECT toDate32(occurred_at) AS day, toUInt64(toUnixTimestamp64Nano(now64(9))) AS mark, true AS is_open
FROM rejections GROUP BY day;
INSERT INTO day_marks SELECT toDate32(occurred_at) AS day, toUInt64(toUnixTimestamp64Nano(now64(9))), false FROM (
    SELECT occurred_at FROM transfers UNION ALL SELECT occurred_at FROM rejections
) GROUP BY day;

-- The sums of a day belong to a build: all of them are there before `day_builds` names it, with the mark they are of.
-- Of another mark, or open, a day is read from its rows. A newer build replaces an older one of the day as a whole.
CREATE TABLE IF NOT EXISTS day_builds (day Date32, mark UInt64, build UInt64)
ENGINE = ReplacingMergeTree(build) ORDER BY day;
-- Of a month that is over the sums of its days are added up once more, as those of its first day under a build of
-- its own: `of` says of which builds of its days, and of others it is not read.
CREATE TABLE IF NOT EXISTS month_builds (month Date32, of String, build UInt64)
ENGINE = ReplacingMergeTree(build) ORDER BY month;
CREATE TABLE IF NOT EXISTS day_sums (
    day Date32, build UInt64, ib_id LowCardinality(String), symbol LowCardinality(String),
    component LowCardinality(String), plan_id LowCardinality(String), server LowCardinality(String),
    period LowCardinality(String), currency LowCardinality(String), is_earning Bool,
    accrued Decimal(38, 8), reversed Decimal(38, 8), held Decimal(38, 8), pending Decimal(38, 8), payable Decimal(38, 8)
) ENGINE = MergeTree PARTITION BY toYYYYMM(day) ORDER BY (day, build, ib_id, symbol);
-- Deals by who earns what of them, `shape`: so that a deal counts once for any IBs and components asked for.
CREATE TABLE IF NOT EXISTS day_deals (
    day Date32, build UInt64, server LowCardinality(String), symbol LowCardinality(String),
    shape LowCardinality(String), deals UInt64, lots Decimal(38, 8)
) ENGINE = MergeTree PARTITION BY toYYYYMM(day) ORDER BY (day, build, shape, symbol);
CREATE TABLE IF NOT EXISTS day_accounts (
    day Date32, build UInt64, account String, currency LowCardinality(String),
    debit Decimal(38, 8), credit Decimal(38, 8)
) ENGINE = MergeTree PARTITION BY toYYYYMM(day) ORDER BY (day, build, account);
CREATE TABLE IF NOT EXISTS day_refusals (
    day Date32, build UInt64, status LowCardinality(String), code LowCardinality(String), deals UInt64
) ENGINE = MergeTree PARTITION BY toYYYYMM(day) ORDER BY (day, build);

-- Whether the rows themselves are sound, looked at in the background: `up_to` is the newest row that was there.
CREATE TABLE IF NOT EXISTS ledger_checks (
    checked_at DateTime64(3, 'UTC'), up_to DateTime64(3, 'UTC'), amounts_not_positive UInt64,
    accounts_missing UInt64, reversals_without_original UInt64, originals_reversed_twice UInt64
) ENGINE = MergeTree ORDER BY checked_at TTL toDateTime(checked_at) + INTERVAL 30 DAY;
