"""The commission report: what IBs earned in an interval, grouped by what the reader asks for."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from api.ledger import Ledger, Row
from api.paging import decode_place, page
from api.queries.money import EARNING, FROM_IB, TAKEN_BACK, TO_IB
from api.queries.periods import INSIDE, Interval

GroupBy = Literal["ib", "symbol", "component", "client", "period"]

_PERIOD_OF = """
arrayFirst(p -> p.2 <= occurred_at AND occurred_at < p.3,
    (SELECT groupArray((period, starts_at, ends_at)) FROM periods FINAL)).1
"""

DIMENSIONS: dict[GroupBy, tuple[str, str]] = {
    "ib": ("ib_id", "ib_id"),
    "symbol": ("symbol", "symbol"),
    "component": ("component", "component"),
    "client": ("client_id", "client_id"),
    "period": (
        "period_of",
        _PERIOD_OF,
    ),
}
"""Group → the column's name inside the query, and the expression that gives it."""

MEASURES = ("lots", "accrued", "reversed", "net", "held", "currency", "deals")
MAX_CURRENCIES = 1_000
_NAMES = {"ib": "ib_id", "client": "client_id"}

# A deal pays several IBs and components, each row with the deal's lots. So lots and deals are counted
# once for each deal of a group, and only while an accrual of the deal stands unreversed.
_REPORT = """
WITH rows AS (
    SELECT {dimensions}, currency, code, amount, debit, credit, caused_by, lots,
        account_key != '' AS is_deal, {to_ib} AS to_ib, {from_ib} AS from_ib,
        code = 'accrual' AND transfer_id NOT IN ({taken_back}) AS stands
    FROM transfers FINAL
    WHERE {inside} AND {earning}
      AND ({{ib:String}} = '' OR ib_id = {{ib:String}})
      AND ({{symbol:String}} = '' OR symbol = {{symbol:String}})
      AND ({{currency:String}} = '' OR currency = {{currency:String}})
), deals_of AS (
    SELECT {keys}, currency, caused_by,
        sumIf(amount, to_ib) AS accrued_of, sumIf(amount, from_ib) AS reversed_of,
        sumIf(amount, match(credit, '^ib:.*:held$')) - sumIf(amount, match(debit, '^ib:.*:held$')) AS held_of,
        maxIf(lots, stands AND is_deal) AS lots_of, max(stands AND is_deal) AS is_rated
    FROM rows GROUP BY {keys}, currency, caused_by
)
SELECT {keys}, currency, sum(lots_of) AS lots, sum(accrued_of) AS accrued, sum(reversed_of) AS reversed,
    accrued - reversed AS net, sum(held_of) AS held, countIf(is_rated) AS deals,
    [{texts}, currency] AS place
FROM deals_of GROUP BY {keys}, currency
HAVING place > {{after:Array(String)}} ORDER BY place LIMIT {{limit:UInt32}}
"""


@dataclass(frozen=True, slots=True)
class ReportFilter:
    """What is reported: an interval of event time, optionally one IB, canonical symbol or currency."""

    interval: Interval
    ib: str = ""
    symbol: str = ""
    currency: str = ""


def report(
    ledger: Ledger, wanted: ReportFilter, group_by: tuple[GroupBy, ...], limit: int, cursor: str = ""
) -> dict[str, Any]:
    """One page of groups, and the totals of all groups per currency."""
    rows = _rows(ledger, wanted, group_by, limit + 1, decode_place(cursor, len(group_by) + 1))
    result = page(rows, limit, key=lambda row: row["place"])
    items = [_named(row, group_by) for row in result["items"]]
    return {**result, "items": items, "group_by": list(group_by), "totals": totals(ledger, wanted)}


def totals(ledger: Ledger, wanted: ReportFilter) -> list[Row]:
    """One row a currency over everything the filter lets through."""
    return [_named(row, ()) for row in _rows(ledger, wanted, (), MAX_CURRENCIES, [])]


def columns(group_by: tuple[GroupBy, ...]) -> list[str]:
    """The report's columns in their order."""
    return [*(_NAMES.get(group, group) for group in group_by), *MEASURES]


def _rows(
    ledger: Ledger, wanted: ReportFilter, group_by: tuple[GroupBy, ...], limit: int, after: list[str]
) -> list[Row]:
    dimensions = [f"{sql} AS {name}" for name, sql in (DIMENSIONS[group] for group in group_by)]
    keys = [DIMENSIONS[group][0] for group in group_by]
    sql = _REPORT.format(
        dimensions=", ".join(dimensions) or "1 AS everything",
        keys=", ".join(keys) or "everything",
        texts=", ".join(keys) or "''",
        inside=INSIDE,
        to_ib=TO_IB,
        from_ib=FROM_IB,
        earning=EARNING,
        taken_back=TAKEN_BACK,
    )
    return ledger.rows(
        sql,
        ib=wanted.ib,
        symbol=wanted.symbol,
        currency=wanted.currency,
        limit=limit,
        after=after,
        **wanted.interval.parameters,
    )


def _named(row: Row, group_by: tuple[GroupBy, ...]) -> Row:
    groups = {_NAMES.get(group, group): row[DIMENSIONS[group][0]] for group in group_by}
    return {**groups, **{name: row[name] for name in MEASURES}}


_DAILY = f"""
WITH daily AS (
    SELECT toDate(occurred_at) AS day, ib_id,
        sumIf(amount, {TO_IB}) - sumIf(amount, {FROM_IB}) AS net
    FROM transfers FINAL
    WHERE {INSIDE} AND {EARNING} AND currency = {{currency:String}}
    GROUP BY day, ib_id
), ranked AS (
    SELECT ib_id, row_number() OVER (ORDER BY sum(net) DESC, ib_id) AS rank, count() OVER () AS ibs
    FROM daily GROUP BY ib_id
), largest AS (
    SELECT ib_id FROM ranked WHERE rank <= if(ibs <= {{series:UInt32}}, ibs, {{series:UInt32}} - 1)
)
SELECT day, if(ib_id IN largest, ib_id, '') AS series, sum(net) AS net
FROM daily GROUP BY day, series ORDER BY day, series
"""  # noqa: S608  - the parts are constants of this file; values are parameters


def daily(ledger: Ledger, interval: Interval, currency: str, series: int) -> list[tuple[Any, str, Decimal]]:
    """(day, IB, net) in UTC days for the portal's chart; beyond `series` IBs the rest is one, ``""``."""
    rows = ledger.rows(_DAILY, currency=currency, series=series, **interval.parameters)
    return [(row["day"], row["series"], row["net"]) for row in rows]
