"""What IBs owe from closed statements, by age."""

from datetime import datetime
from typing import Any

from api.ledger import Ledger
from api.paging import decode_place, page
from api.scope import Scope, sees
from commission.partner.ageing import LIMITS, Closed, aged

_OWING = f"""
SELECT ib_id, currency, [toString(ib_id), toString(currency)] AS place,
    arraySort(groupArray((
        toUnixTimestamp64Micro(starts_at),
        intDiv(dateDiff('second', ends_at, {{as_of:DateTime64(6, 'UTC')}}), 86400), closing
    ))) AS closings
FROM statements_current
WHERE ends_at <= {{as_of:DateTime64(6, 'UTC')}} AND {sees("ib_id")}
GROUP BY ib_id, currency HAVING argMax(closing, starts_at) < 0 AND place > {{after:Array(String)}}
ORDER BY place LIMIT {{limit:UInt32}}
"""  # noqa: S608  - the parts are constants; values are parameters


def owing(ledger: Ledger, scope: Scope, as_of: datetime, limit: int, cursor: str = "") -> dict[str, Any]:
    """One page of IBs and currencies whose newest statement closes below zero, by IB."""
    after = decode_place(cursor, 2)
    rows = ledger.rows(_OWING, as_of=as_of, after=after, limit=limit + 1, **scope.parameters)
    found = page(rows, limit, key=lambda row: row["place"])
    found["items"] = [
        {"ib_id": row["ib_id"], "currency": row["currency"], **_parts(row["closings"])}
        for row in found["items"]
    ]
    return found


def _parts(closings: list[tuple[int, int, Any]]) -> dict[str, Any]:
    debt = aged(Closed(days, closing) for _, days, closing in closings)
    names = (*(f"until_{limit}_days" for limit in LIMITS), "older")
    return {**dict(zip(names, debt.parts, strict=True)), "total": debt.total, "oldest_days": debt.oldest_days}
