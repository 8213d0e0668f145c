-- The ledger and what explains it. Every row carries the topic, partition and offset it came from;
-- a table keeps one row for each id however often a batch is inserted, so reports read FINAL.

CREATE TABLE deals (
    deal_key String, revision String, platform LowCardinality(String), server LowCardinality(String), login UInt64,
    deal_id String, kind LowCardinality(String), occurred_at DateTime64(6, 'UTC'), server_time String,
    side LowCardinality(String), entry LowCardinality(String), symbol LowCardinality(String),
    volume_e8 Int64, volume_closed_e8 Nullable(Int64), contract_size Nullable(Decimal(38, 8)), position_id String,
    price Nullable(Decimal(38, 10)), bid Nullable(Decimal(38, 10)), ask Nullable(Decimal(38, 10)),
    profit Decimal(38, 8), commission Decimal(38, 8), fee Decimal(38, 8), swap Decimal(38, 8),
    currency LowCardinality(String), rate_profit Nullable(Decimal(38, 10)), reason LowCardinality(String), is_service Bool,
    account_group LowCardinality(String), comment String, source String,
    _topic LowCardinality(String), _partition UInt32, _offset UInt64, stored_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree(_offset) ORDER BY deal_key;

CREATE TABLE transfers (
    transfer_id String, code LowCardinality(String), debit String, credit String,
    amount Decimal(38, 8), currency LowCardinality(String), ib_id LowCardinality(String),
    occurred_at DateTime64(6, 'UTC'), caused_by String, reverses Nullable(String),
    client_id String, account_key String, revision String, component LowCardinality(String), rule String,
    plan_id LowCardinality(String), plan_version UInt32, depth UInt16, path Array(String),
    symbol LowCardinality(String), lots Decimal(38, 8), period LowCardinality(String), factors Map(String, String),
    _topic LowCardinality(String), _partition UInt32, _offset UInt64, stored_at DateTime64(3, 'UTC') DEFAULT now64(3),
    INDEX by_id transfer_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX by_cause caused_by TYPE bloom_filter(0.01) GRANULARITY 4
) ENGINE = ReplacingMergeTree(_offset) ORDER BY (ib_id, occurred_at, transfer_id);

CREATE TABLE rejections (
    deal_key String, revision String, status LowCardinality(String), code LowCardinality(String), text String,
    account_key String, client_id String, occurred_at DateTime64(6, 'UTC'),
    _topic LowCardinality(String), _partition UInt32, _offset UInt64, stored_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree(_offset) ORDER BY deal_key;

CREATE TABLE milestones (
    milestone_id String, kind LowCardinality(String), client_id String, ib_id LowCardinality(String),
    occurred_at DateTime64(6, 'UTC'), amount Nullable(Decimal(38, 8)), currency LowCardinality(String), click Map(String, String),
    _topic LowCardinality(String), _partition UInt32, _offset UInt64, stored_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree(_offset) ORDER BY milestone_id;

CREATE TABLE statements (
    statement_id String, ib_id LowCardinality(String), period LowCardinality(String),
    starts_at DateTime64(6, 'UTC'), ends_at DateTime64(6, 'UTC'), currency LowCardinality(String),
    opening Decimal(38, 8), accrued Decimal(38, 8), reversed Decimal(38, 8), payable Decimal(38, 8),
    rounding Decimal(38, 8), closing Decimal(38, 8), held Decimal(38, 8),
    _topic LowCardinality(String), _partition UInt32, _offset UInt64, stored_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree(_offset) ORDER BY (ib_id, period, currency);

CREATE TABLE clients (
    client_id String, occurred_at DateTime64(6, 'UTC'), ib_id Nullable(String), country LowCardinality(String),
    click Map(String, String), event_id String,
    _topic LowCardinality(String), _partition UInt32, _offset UInt64, stored_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree(_offset) ORDER BY client_id;

CREATE TABLE partners (
    ib_id String, name String, currency LowCardinality(String), parent Nullable(String), kyc_approved Bool, definition String,
    _topic LowCardinality(String), _partition UInt32, _offset UInt64, stored_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree(_offset) ORDER BY ib_id;

CREATE TABLE plans (
    plan_id String, version UInt32, definition String,
    _topic LowCardinality(String), _partition UInt32, _offset UInt64, stored_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree(_offset) ORDER BY (plan_id, version);

CREATE TABLE periods (
    period String, starts_at DateTime64(6, 'UTC'), ends_at DateTime64(6, 'UTC'),
    _topic LowCardinality(String), _partition UInt32, _offset UInt64, stored_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree(_offset) ORDER BY period;

CREATE TABLE dead_letters (
    dead_letter_id String, source String, position String, code LowCardinality(String), reason String,
    payload String, received_at DateTime64(6, 'UTC'),
    _topic LowCardinality(String), _partition UInt32, _offset UInt64, stored_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree(_offset) ORDER BY dead_letter_id;

CREATE TABLE postback_attempts (
    milestone_id String, endpoint LowCardinality(String), attempt UInt16, attempted_at DateTime64(3, 'UTC'),
    outcome LowCardinality(String), http_status Nullable(UInt16), error String, duration_ms UInt32, next_attempt_at Nullable(DateTime64(3, 'UTC'))
) ENGINE = ReplacingMergeTree(attempted_at) ORDER BY (endpoint, milestone_id, attempt);

-- Every message of the books as it stood on the log: what replay and audit read.
CREATE TABLE books (
    _topic LowCardinality(String), _partition UInt32, _offset UInt64, source String, message String CODEC(ZSTD(3)),
    stored_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree ORDER BY (_topic, _partition, _offset);

-- How far the sink has stored each partition: written after the rows, so a crash repeats rows and loses none.
CREATE TABLE sink_positions (
    topic LowCardinality(String), partition UInt32, next_offset UInt64
) ENGINE = ReplacingMergeTree(next_offset) ORDER BY (topic, partition);
