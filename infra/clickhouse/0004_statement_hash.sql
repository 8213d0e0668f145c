-- A statement proves itself to its partner: a hash over its transfers, and that of the statement before.

ALTER TABLE statements ADD COLUMN transfers UInt64 AFTER held;
ALTER TABLE statements ADD COLUMN previous String AFTER transfers;
ALTER TABLE statements ADD COLUMN hash String AFTER previous;
