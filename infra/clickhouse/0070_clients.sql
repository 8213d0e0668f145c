-- What is asked of single clients and accounts, each under the key that it is asked by: copies of rows, of which a repeated
-- insert gives the same.
DROP VIEW IF EXISTS client_milestones_seen;
CREATE TABLE IF NOT EXISTS client_milestones (
    client_id String, milestone_id String, kind LowCardinality(String), ib_id LowCardinality(String), is_by_click Bool,
    occurred_at DateTime64(6, 'UTC'), _offset UInt64
) ENGINE = ReplacingMergeTree(_offset) ORDER BY (client_id, milestone_id) SETTINGS index_granularity = 1024;
CREATE MATERIALIZED VIEW client_milestones_seen TO client_milestones AS
SELECT client_id, milestone_id, kind, ib_id, kind = 'registration' AND attribution IN ('click', 'click_wins') AS is_by_click,
    occurred_at, _offset
FROM milestones WHERE client_id != '';
INSERT INTO client_milestones
SELECT client_id, milestone_id, kind, ib_id, kind = 'registration' AND attribution IN ('click', 'click_wins'),
    occurred_at, _offset
FROM milestones WHERE client_id != '';

-- Whose an account's deals were in each month, and until when: the newest of an interval of months is whose the account is.
DROP VIEW IF EXISTS account_clients_of_transfers;
DROP VIEW IF EXISTS account_clients_of_rejections;
CREATE TABLE IF NOT EXISTS account_clients (
    account_key String, month Date32, client_id String, last_at DateTime64(6, 'UTC')
) ENGINE = ReplacingMergeTree(last_at) ORDER BY (month, account_key, client_id) SETTINGS index_granularity = 2048;
CREATE MATERIALIZED VIEW account_clients_of_transfers TO account_clients AS
SELECT account_key, toDate32(toStartOfMonth(occurred_at)) AS month, client_id, max(occurred_at) AS last_at
FROM transfers WHERE code = 'accrual' AND account_key != '' AND client_id != '' GROUP BY account_key, month, client_id;
CREATE MATERIALIZED VIEW account_clients_of_rejections TO account_clients AS
SELECT account_key, toDate32(toStartOfMonth(occurred_at)) AS month, client_id, max(occurred_at) AS last_at
FROM rejections WHERE account_key != '' AND client_id != '' GROUP BY account_key, month, client_id;
INSERT INTO account_clients
SELECT account_key, toDate32(toStartOfMonth(occurred_at)) AS month, client_id, max(occurred_at) AS last_at
FROM transfers WHERE code = 'accrual' AND account_key != '' AND client_id != '' GROUP BY account_key, month, client_id;
INSERT INTO account_clients
SELECT account_key, toDate32(toStartOfMonth(occurred_at)) AS month, client_id, max(occurred_at) AS last_at
FROM rejections WHERE account_key != '' AND client_id != '' GROUP BY account_key, month, client_id;
