-- Accruals under a hold belong to the statement of the day they mature; rebates may go to clients.

ALTER TABLE transfers ADD COLUMN matures_at Nullable(DateTime64(6, 'UTC')) AFTER period;
ALTER TABLE periods ADD COLUMN days Array(DateTime64(6, 'UTC')) AFTER ends_at;
ALTER TABLE periods ADD COLUMN first_weekday UInt8 AFTER days;
ALTER TABLE deals ADD COLUMN balance Nullable(Decimal(38, 8)) AFTER rate_profit;
ALTER TABLE deals ADD COLUMN equity Nullable(Decimal(38, 8)) AFTER balance;
ALTER TABLE deals ADD COLUMN credit Nullable(Decimal(38, 8)) AFTER equity;
ALTER TABLE clients ADD COLUMN identity String AFTER country;
