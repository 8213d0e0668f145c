-- Proposals to correct what is posted: what was asked and previewed, and who did what to it. Nothing is updated.

CREATE TABLE proposals (
    proposal_id String, created_by String, created_at DateTime64(6, 'UTC'), wanted String, preview String,
    rows String CODEC(ZSTD(3))
) ENGINE = ReplacingMergeTree ORDER BY proposal_id;

CREATE TABLE proposal_events (
    proposal_id String, state LowCardinality(String), by String, at DateTime64(6, 'UTC'), note String
) ENGINE = ReplacingMergeTree ORDER BY (proposal_id, state, at, by);
