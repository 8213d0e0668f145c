"""The IBs whose commission changed most against the interval before."""

from collections import defaultdict
from dataclasses import replace
from decimal import Decimal
from heapq import nsmallest
from typing import Any

from api.ledger import Ledger
from api.problems import Problem
from api.queries.commission_sql import ReportFilter
from api.queries.commissions import money
from api.queries.comparison import interval_before

MAX_GROUPS = 200_000
"""IBs times currencies that earned in one of the intervals."""


def movers(ledger: Ledger, wanted: ReportFilter, count: int) -> dict[str, Any]:
    """So many IBs of each currency, those whose net changed most first, up or down; who did not is left out.

    Raise `Problem` if there is no interval before, or more IBs than are compared.
    """
    before = interval_before(ledger, wanted.interval)
    now, then = (_nets(ledger, one) for one in (wanted, replace(wanted, interval=before)))
    by_currency: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for key in now.keys() | then.keys():
        net, was = now.get(key, Decimal(0)), then.get(key, Decimal(0))
        if net != was:
            row = {"ib_id": key[0], "currency": key[1], "net": net, "before": was, "change": net - was}
            by_currency[key[1]].append(row)
    return {
        "items": [
            row
            for _, rows in sorted(by_currency.items())
            for row in nsmallest(count, rows, key=lambda row: (-abs(row["change"]), row["ib_id"]))
        ],
        "moved": sum(map(len, by_currency.values())),
        "before": {"from": before.starts_at, "to": before.ends_at},
    }


def _nets(ledger: Ledger, wanted: ReportFilter) -> dict[tuple[str, str], Decimal]:
    rows = money(ledger, wanted, ("ib",), MAX_GROUPS + 1)
    if len(rows) > MAX_GROUPS:
        raise Problem(422, f"More than {MAX_GROUPS:,} IBs are not compared. Ask for a `scope` or a currency.")
    return {(row["ib_id"], row["currency"]): row["net"] for row in rows}
