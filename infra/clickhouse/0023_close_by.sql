-- The order that both legs of a close-by share.

ALTER TABLE deals ADD COLUMN close_by String AFTER position_id;
