"""The postback tables: milestones still to be told, and the attempts made."""

from datetime import datetime
from typing import Any

from api.ledger import Ledger, Row
from api.paging import decode_cursor, page
from api.postbacks.endpoints import Endpoint
from api.postbacks.schedule import Attempt, DueMilestone
from api.queries.periods import BEGINNING

BATCH = 200
"""Milestones of one endpoint looked at in one pass."""

_OPEN = """
SELECT m.milestone_id AS milestone_id, kind, client_id, m.ib_id AS ib_id, m.occurred_at AS occurred_at,
    amount, currency, click, c.country AS country
FROM (SELECT * FROM milestones FINAL
    WHERE (empty({events:Array(String)}) OR kind IN {events:Array(String)})
      AND (empty({ibs:Array(String)}) OR ib_id IN {ibs:Array(String)})
      AND occurred_at >= {since:DateTime64(6, 'UTC')}
      AND milestone_id NOT IN (
        SELECT milestone_id FROM postback_attempts FINAL WHERE endpoint = {endpoint:String}
          AND (outcome IN ('delivered', 'failed') OR next_attempt_at > {now:DateTime64(3, 'UTC')}))
    ORDER BY occurred_at, milestone_id LIMIT {limit:UInt32}) AS m
LEFT JOIN (SELECT client_id, country FROM clients FINAL) AS c ON c.client_id = m.client_id
"""

_MADE = """
SELECT milestone_id, endpoint, attempt, attempted_at, outcome, http_status, error, duration_ms,
    next_attempt_at
FROM postback_attempts FINAL
WHERE endpoint = {endpoint:String} AND (milestone_id IN {ids:Array(String)} OR outcome = 'disabled')
"""

_LIST = """
SELECT milestone_id, endpoint, attempt, attempted_at, outcome, http_status, error, duration_ms,
    next_attempt_at, toUnixTimestamp64Milli(attempted_at) AS at_ms
FROM postback_attempts FINAL
WHERE ({endpoint:String} = '' OR endpoint = {endpoint:String})
  AND ({milestone:String} = '' OR milestone_id = {milestone:String})
  AND ({outcome:String} = '' OR outcome = {outcome:String})
  AND (at_ms, endpoint, milestone_id, attempt)
    < ({before_ms:Int64}, {before_endpoint:String}, {before_milestone:String}, {before_attempt:UInt32})
ORDER BY at_ms DESC, endpoint DESC, milestone_id DESC, attempt DESC LIMIT {limit:UInt32}
"""
_ORDER = ("at_ms", "endpoint", "milestone_id", "attempt")
COLUMNS = (
    "milestone_id",
    "endpoint",
    "attempt",
    "attempted_at",
    "outcome",
    "http_status",
    "error",
    "duration_ms",
    "next_attempt_at",
)


def open_milestones(
    ledger: Ledger, endpoint: Endpoint, now: datetime
) -> tuple[list[DueMilestone], list[Attempt]]:
    """The endpoint's oldest milestones neither told nor given up nor waiting, and their attempts."""
    rows = ledger.rows(
        _OPEN,
        events=sorted(endpoint.events),
        ibs=sorted(endpoint.ibs),
        since=endpoint.since or BEGINNING,
        endpoint=endpoint.endpoint_id,
        now=now,
        limit=BATCH,
    )
    made = ledger.rows(_MADE, endpoint=endpoint.endpoint_id, ids=[row["milestone_id"] for row in rows])
    return [DueMilestone(**row) for row in rows], [_attempt(row) for row in made]


def record(ledger: Ledger, attempt: Attempt) -> None:
    """Write one attempt; written twice it is still one row."""
    values = [
        attempt.milestone_id,
        attempt.endpoint_id,
        attempt.attempt,
        attempt.attempted_at,
        attempt.outcome,
        attempt.http_status,
        attempt.error,
        attempt.duration_ms,
        attempt.next_attempt_at,
    ]
    ledger.insert("postback_attempts", COLUMNS, [values])


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


def _attempt(row: Row) -> Attempt:
    rest = {name: value for name, value in row.items() if name != "endpoint"}
    return Attempt(endpoint_id=row["endpoint"], **rest)
