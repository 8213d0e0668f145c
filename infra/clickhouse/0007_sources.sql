-- What a stage sends again after a crash is no news to the sink either: origin → newest position, as JSON.

ALTER TABLE sink_positions ADD COLUMN sources String DEFAULT '{}';
