"""Net commission day by day, for the portal's chart."""

from decimal import Decimal
from typing import Any

from api.ledger import Ledger
from api.queries import days
from api.queries.days import days_of
from api.queries.periods import Interval

_LARGEST = """
SELECT ib_id, sum(s.accrued) - sum(s.reversed) AS net FROM ({sums}) AS s
WHERE is_earning AND currency = {{currency:String}}
GROUP BY ib_id ORDER BY net DESC, ib_id LIMIT {{series:UInt32}} + 1
"""
_DAILY = """
SELECT s.at AS day, if(ib_id IN {{largest:Array(String)}}, toString(ib_id), '') AS series,
    sum(s.accrued) - sum(s.reversed) AS net
FROM ({sums}) AS s WHERE is_earning AND currency = {{currency:String}}
GROUP BY day, series ORDER BY day, series
"""


def daily(ledger: Ledger, interval: Interval, currency: str, series: int) -> list[tuple[Any, str, Decimal]]:
    """(day, IB, net) in UTC days for the portal's chart; beyond `series` IBs the rest is one, ``""``."""
    read = days_of(ledger, interval)
    sql = _LARGEST.format(sums=days.sums(read))
    ibs = [row["ib_id"] for row in ledger.rows(sql, currency=currency, series=series, **read.parameters)]
    largest = ibs if len(ibs) <= series else ibs[: series - 1]
    read = days_of(ledger, interval, by_month=False)
    sql = _DAILY.format(sums=days.sums(read, days.BY_DAY))
    rows = ledger.rows(sql, currency=currency, largest=largest, **read.parameters)
    return [(row["day"], row["series"], row["net"]) for row in rows]
