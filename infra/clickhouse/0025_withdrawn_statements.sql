-- A period that was closed wrongly is opened again: its statements stay, withdrawn, beside those in their place.

ALTER TABLE statements ADD COLUMN replaces String, MODIFY ORDER BY (ib_id, period, currency, replaces);

CREATE TABLE statement_withdrawals (
    statement_id String, ib_id LowCardinality(String), period LowCardinality(String), currency LowCardinality(String),
    at DateTime64(6, 'UTC'), reason String, proposal_id String,
    _topic LowCardinality(String), _partition UInt32, _offset UInt64, stored_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree(_offset) ORDER BY statement_id;

-- A statement that another replaces is withdrawn as well, should its withdrawal be stored a moment later.
CREATE VIEW statements_current AS
    SELECT * FROM statements FINAL
    WHERE statement_id NOT IN (SELECT statement_id FROM statement_withdrawals)
        AND statement_id NOT IN (SELECT replaces FROM statements WHERE replaces != '');
