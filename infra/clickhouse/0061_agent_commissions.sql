-- What MT4 itself pays an IB for a ticket. A source that does not tell it leaves what another told: so it stands in a
-- table of its own, by the closing deal.
ALTER TABLE deals ADD COLUMN IF NOT EXISTS agent_commission Nullable(Decimal(38, 8)) AFTER swap;
DROP VIEW IF EXISTS agent_commissions_seen;
CREATE TABLE IF NOT EXISTS agent_commissions (
    deal_key String, amount Decimal(38, 8), _offset UInt64
) ENGINE = ReplacingMergeTree(_offset) ORDER BY deal_key;
CREATE MATERIALIZED VIEW agent_commissions_seen TO agent_commissions AS
SELECT deal_key, assumeNotNull(agent_commission) AS amount, _offset FROM deals WHERE isNotNull(agent_commission);
