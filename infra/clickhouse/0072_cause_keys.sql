-- Which deal a transfer is of, as a number, which is read at a fifth of what the text costs; merges write it for rows
-- that were there. As in `transfer_keys` it is a hash: another cause with the same is read, and makes no difference.
ALTER TABLE transfers ADD COLUMN IF NOT EXISTS cause_key UInt32 MATERIALIZED toUInt32(cityHash64(caused_by)) AFTER caused_by;
-- What came last of a day that is being written is in few parts until these are merged.
ALTER TABLE transfers ADD INDEX IF NOT EXISTS by_place (_topic, _partition, _offset) TYPE minmax GRANULARITY 1;
