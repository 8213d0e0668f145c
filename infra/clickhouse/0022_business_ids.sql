-- What a milestone takes back, and the ids a CRM gives to chargebacks and withdrawals.

ALTER TABLE milestones ADD COLUMN takes_back String AFTER click;
ALTER TABLE client_events ADD COLUMN chargeback_id String AFTER deposit_id;
ALTER TABLE client_events ADD COLUMN withdrawal_id String AFTER chargeback_id;
