-- ClickHouse reads the lines of records itself: a column for every field, by the field's name.

ALTER TABLE deals RENAME COLUMN account_group TO `group`;
ALTER TABLE deals MODIFY COLUMN deal_key String DEFAULT concat(server, '|', deal_id);
