-- What a CRM tells: changes of IBs, which count on top of their published records, and what happened to
-- clients. Columns are the fields of the records; every partition of a book holds a change, which is one row.

CREATE TABLE partner_changes (
    ib_id String, event_id String, occurred_at DateTime64(6, 'UTC'), application LowCardinality(String),
    name String, currency LowCardinality(String), identity String, parents String, schedule String, statuses String,
    kyc_approved Nullable(Bool), agreement_accepted Nullable(Bool), source String,
    _topic LowCardinality(String), _partition UInt32, _offset UInt64, stored_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree ORDER BY (ib_id, event_id);

CREATE VIEW partners_known AS
SELECT
    ib_id,
    argMaxIf(name, told, name != '') AS name,
    argMinIf(currency, told, currency != '') AS currency,
    tupleElement(argMaxIf(tuple(master), (since, told), has_parent), 1) AS parent,
    argMaxIf(assumeNotNull(kyc), told, isNotNull(kyc)) AS kyc_approved
FROM (
    SELECT ib_id, name, currency, JSONExtractRaw(definition, 'parents') AS links,
        isNotNull(parent) OR JSONLength(links) > 0 AS has_parent, parent AS master,
        parseDateTime64BestEffortOrZero(JSONExtractString(links, -1, 'since'), 6, 'UTC') AS since,
        toNullable(kyc_approved) AS kyc, tuple(toDateTime64(0, 6, 'UTC'), '') AS told, true AS is_there
    FROM partners FINAL
    UNION ALL
    SELECT ib_id, name, currency, parents AS links, JSONLength(links) > 0 AS has_parent,
        JSONExtract(links, -1, 'ib_id', 'Nullable(String)') AS master,
        parseDateTime64BestEffortOrZero(JSONExtractString(links, -1, 'since'), 6, 'UTC') AS since,
        kyc_approved AS kyc, tuple(occurred_at, event_id) AS told, application = 'approved' AND currency != '' AS is_there
    FROM partner_changes FINAL WHERE application IN ('', 'approved')
)
GROUP BY ib_id HAVING max(is_there);

CREATE TABLE client_events (
    client_id String, type LowCardinality(String), event_id String, occurred_at DateTime64(6, 'UTC'),
    deposit_id String, status LowCardinality(String), amount Nullable(Decimal(38, 8)), currency LowCardinality(String),
    reason LowCardinality(String), verdict LowCardinality(String), ib_id Nullable(String),
    jurisdiction LowCardinality(String), expires_at Nullable(DateTime64(6, 'UTC')), source String,
    _topic LowCardinality(String), _partition UInt32, _offset UInt64, stored_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree(_offset) ORDER BY (client_id, type, event_id, status);
