"""The list of clients: when each registered, and how far it has come."""

from typing import Any

from api.ledger import Ledger
from api.paging import decode_cursor, page
from api.scope import KNOWN_CLIENTS, Scope, sees, sees_client

BEFORE_ALL = 2**62
"""Before this, in microseconds, is every registration."""
STATES = ("", "registered", "deposited", "qualified", "lost")

_LIST = f"""
SELECT client_id, occurred_at, ib_id, country, kyc, ftd_at, qualified_at, lost_at,
    toUnixTimestamp64Micro(occurred_at) AS at_us,
    multiIf(lost_at > qualified_at, 'lost', qualified_at > 0, 'qualified', ftd_at > 0, 'deposited',
        'registered') AS state
FROM (
    SELECT client_id, occurred_at, ib_id, country FROM {KNOWN_CLIENTS}
    WHERE ({{ib:String}} = '' OR ib_id = {{ib:String}}) AND {sees_client("client_id")}
) AS c
LEFT JOIN (
    SELECT client_id AS of, maxIf(occurred_at, kind = 'ftd') AS ftd_at,
        maxIf(occurred_at, kind = 'cpa.qualified') AS qualified_at,
        maxIf(occurred_at, kind = 'cpa.clawback') AS lost_at
    FROM milestones FINAL WHERE {sees("ib_id")} GROUP BY of
) AS m ON m.of = c.client_id
LEFT JOIN (
    SELECT client_id AS about, argMax(status, occurred_at) AS kyc FROM client_events FINAL
    WHERE type = 'kyc_changed' GROUP BY about
) AS k ON k.about = c.client_id
WHERE ({{state:String}} = '' OR state = {{state:String}})
  AND (at_us, client_id) < ({{before_us:Int64}}, {{before_id:String}})
ORDER BY at_us DESC, client_id DESC LIMIT {{limit:UInt32}}
"""  # noqa: S608  - the parts are constants; values are parameters


def listed(ledger: Ledger, scope: Scope, ib: str, state: str, limit: int, cursor: str = "") -> dict[str, Any]:
    """One page of clients, those that registered last first; of one IB or in one state, if asked.

    `state` is the furthest it came: `registered`, `deposited`, `qualified`, or `lost` to a clawback since.
    """
    before = decode_cursor(cursor, int, str) if cursor else [BEFORE_ALL, ""]
    rows = ledger.rows(
        _LIST, ib=ib, state=state, before_us=before[0], before_id=before[1], limit=limit + 1,
        **scope.parameters,
    )  # fmt: skip
    found = page(rows, limit, key=lambda row: (row["at_us"], row["client_id"]))
    for row in found["items"]:
        for name in ("ftd_at", "qualified_at", "lost_at"):
            row[name] = row[name] if row[name].year > 1970 else None  # no such milestone
    return found
