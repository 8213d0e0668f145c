-- Every revision of a deal once, with the place it was first seen at: the fold takes a revision up once and stands
-- by the newest that it had not seen before, so `deals`, which keeps what arrived last, does not tell which that is.

CREATE TABLE deal_revisions (
    deal_key String, revision String, login UInt64, kind LowCardinality(String), occurred_at DateTime64(6, 'UTC'),
    volume_e8 Int64, profit Decimal(38, 8), earliness UInt64
) ENGINE = ReplacingMergeTree(earliness) ORDER BY (deal_key, revision);

CREATE MATERIALIZED VIEW deal_revisions_seen TO deal_revisions AS
SELECT deal_key, revision, login, kind, occurred_at, volume_e8, profit, 18446744073709551615 - _offset AS earliness
FROM deals;

INSERT INTO deal_revisions
SELECT deal_key, revision, login, kind, occurred_at, volume_e8, profit, 18446744073709551615 - _offset FROM deals FINAL;

CREATE TABLE reconciliations (
    reconciliation_id String, server LowCardinality(String), source String, logins Array(UInt64),
    starts_at DateTime64(6, 'UTC'), ends_at DateTime64(6, 'UTC'),
    started_at DateTime64(6, 'UTC'), finished_at DateTime64(6, 'UTC'),
    theirs UInt64, ours UInt64, missing UInt64, different UInt64, extra UInt64, disputed UInt64, unreadable UInt64,
    ingested UInt64, deleted UInt64, record String CODEC(ZSTD(3)),
    _topic LowCardinality(String), _partition UInt32, _offset UInt64, stored_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree(_offset) ORDER BY (server, finished_at, reconciliation_id);
