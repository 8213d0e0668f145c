"""The postback tables: what was due at an endpoint, and the attempts made."""

from datetime import datetime
from typing import Any

from api.ledger import Ledger
from api.paging import decode_cursor, page

_LIST = """
SELECT milestone_id, endpoint, attempt, attempted_at, outcome, http_status, error, duration_ms,
    next_attempt_at, replay, delivery_id, request, answer, toUnixTimestamp64Milli(attempted_at) AS at_ms
FROM postback_attempts FINAL
WHERE ({endpoint:String} = '' OR endpoint = {endpoint:String})
  AND ({milestone:String} = '' OR milestone_id = {milestone:String})
  AND ({outcome:String} = '' OR outcome = {outcome:String})
  AND (at_ms, endpoint, milestone_id, attempt)
    < ({before_ms:Int64}, {before_endpoint:String}, {before_milestone:String}, {before_attempt:UInt32})
ORDER BY at_ms DESC, endpoint DESC, milestone_id DESC, attempt DESC LIMIT {limit:UInt32}
"""
_ORDER = ("at_ms", "endpoint", "milestone_id", "attempt")

_DELIVERIES = """
SELECT record FROM deliveries FINAL
WHERE endpoint = {endpoint:String} AND replay = ''
  AND ({milestone:String} = '' OR milestone_id = {milestone:String})
  AND occurred_at >= {since:DateTime64(6, 'UTC')} AND occurred_at < {until:DateTime64(6, 'UTC')}
ORDER BY occurred_at, delivery_id LIMIT {limit:UInt32}
"""


def attempts(
    ledger: Ledger, endpoint: str, milestone: str, outcome: str, limit: int, cursor: str = ""
) -> dict[str, Any]:
    """One page of attempts, newest first."""
    before = decode_cursor(cursor, int, str, str, int) if cursor else [2**62, "", "", 0]
    names = ("before_ms", "before_endpoint", "before_milestone", "before_attempt")
    rows = ledger.rows(
        _LIST,
        endpoint=endpoint,
        milestone=milestone,
        outcome=outcome,
        limit=limit + 1,
        **dict(zip(names, before, strict=True)),
    )
    result = page(rows, limit, lambda row: [row[name] for name in _ORDER])
    for row in result["items"]:
        del row["at_ms"]
    return result


def deliveries(
    ledger: Ledger, endpoint: str, milestone: str, since: datetime, until: datetime, limit: int
) -> list[str]:
    """The records of what was due at an endpoint, the oldest first, without what was asked for again."""
    rows = ledger.rows(
        _DELIVERIES, endpoint=endpoint, milestone=milestone, since=since, until=until, limit=limit
    )
    return [row["record"] for row in rows]
