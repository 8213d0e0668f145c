-- Which milestone a clawback takes back, beside the client's others: what was taken back is not what a client has reached.
DROP VIEW IF EXISTS client_milestones_seen;
ALTER TABLE client_milestones ADD COLUMN IF NOT EXISTS takes_back String AFTER is_by_click;
CREATE MATERIALIZED VIEW client_milestones_seen TO client_milestones AS
SELECT client_id, milestone_id, kind, ib_id, kind = 'registration' AND attribution IN ('click', 'click_wins') AS is_by_click,
    takes_back, occurred_at, _offset
FROM milestones WHERE client_id != '';
INSERT INTO client_milestones (client_id, milestone_id, kind, ib_id, is_by_click, takes_back, occurred_at, _offset)
SELECT client_id, milestone_id, kind, ib_id, kind = 'registration' AND attribution IN ('click', 'click_wins'),
    takes_back, occurred_at, _offset
FROM milestones WHERE takes_back != '';
