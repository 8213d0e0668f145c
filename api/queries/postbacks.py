"""The postback tables: what was due at an endpoint, and the attempts made."""

from datetime import datetime
from typing import Any

from api.ledger import Ledger
from api.queries.ordered import NEWEST, Asked, Listing

_LIST = """
SELECT milestone_id, endpoint, attempt, attempted_at, outcome, http_status, error, duration_ms,
    next_attempt_at, replay, delivery_id, request, answer
FROM postback_attempts FINAL
WHERE ({endpoint:String} = '' OR endpoint = {endpoint:String})
  AND ({milestone:String} = '' OR milestone_id = {milestone:String})
  AND ({outcome:String} = '' OR outcome = {outcome:String})
"""
ATTEMPTS = Listing(
    _LIST,
    {
        "time": ("attempted_at", "time"),
        "outcome": ("outcome", "text"),
        "status": ("http_status", "number"),
        "took": ("duration_ms", "number"),
        "try": ("attempt", "number"),
    },
    ("endpoint", "milestone_id", "attempt", "replay"),
    ("milestone_id", "outcome", "http_status", "error"),
)

_DELIVERIES = """
SELECT record FROM deliveries FINAL
WHERE endpoint = {endpoint:String} AND replay = ''
  AND ({milestone:String} = '' OR milestone_id = {milestone:String})
  AND occurred_at >= {since:DateTime64(6, 'UTC')} AND occurred_at < {until:DateTime64(6, 'UTC')}
ORDER BY occurred_at, delivery_id LIMIT {limit:UInt32}
"""


def attempts(
    ledger: Ledger, endpoint: str, milestone: str, outcome: str, limit: int, asked: Asked = NEWEST
) -> dict[str, Any]:
    """One page of attempts, newest first unless asked otherwise."""
    return ATTEMPTS.page(ledger, asked, limit, endpoint=endpoint, milestone=milestone, outcome=outcome)


def deliveries(
    ledger: Ledger, endpoint: str, milestone: str, since: datetime, until: datetime, limit: int
) -> list[str]:
    """The records of what was due at an endpoint, the oldest first, without what was asked for again."""
    rows = ledger.rows(
        _DELIVERIES, endpoint=endpoint, milestone=milestone, since=since, until=until, limit=limit
    )
    return [row["record"] for row in rows]
