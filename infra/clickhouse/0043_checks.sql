-- What a look was at: all rows of a month, and whether its sums are theirs, or, without one, the rows since the look before.
ALTER TABLE ledger_checks ADD COLUMN IF NOT EXISTS month String;
ALTER TABLE ledger_checks ADD COLUMN IF NOT EXISTS sums_different UInt64;
