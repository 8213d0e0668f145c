"""The commission report: what IBs earned in an interval, grouped by what the reader asks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from api.ledger import Ledger, Row
from api.paging import decode_place, page
from api.queries import days
from api.queries.day_rows import DAY, SERVER
from api.queries.days import Days, When, days_of
from api.queries.money import EARNING, FROM_IB, IS_DEAL, TAKEN_BACK, TO_IB, grown
from api.queries.periods import INSIDE, Interval, periods
from commission.accounts import HELD

GroupBy = Literal[
    "ib", "level", "client", "server", "symbol", "component", "plan", "day", "week", "month", "period"
]

MEASURES = ("lots", "accrued", "reversed", "net", "held", "currency", "deals")
MAX_CURRENCIES = 1_000
_NAMES = {"ib": "ib_id", "client": "client_id", "plan": "plan_id"}

_PERIOD_OF = """
arrayFirst(p -> p.2 <= {at} AND {at} < p.3,
    (SELECT groupArray((period, starts_at, ends_at)) FROM periods FINAL)).1
"""
TIMES: dict[GroupBy, When] = {
    "day": days.BY_DAY,
    "week": When(f"toMonday({DAY})", "toMonday(day)"),
    "month": When(f"toStartOfMonth({DAY})", "toStartOfMonth(day)"),
    "period": When(_PERIOD_OF.format(at="occurred_at"), _PERIOD_OF.format(at="toDateTime64(day, 6, 'UTC')")),
}
"""Groups by event time, in UTC but for periods; a report has one of them at the most."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """What a group goes by: its expression over rows, over sums, and over one part of a deal's shape."""

    of_row: str
    of_sum: str = ""
    of_part: str = ""


DIMENSIONS: dict[GroupBy, Dimension] = {
    "ib": Dimension("ib_id", "s.ib_id", "part[1]"),
    "level": Dimension("depth"),
    "client": Dimension("client_id"),
    "server": Dimension(SERVER, "s.server", "server"),
    "symbol": Dimension("symbol", "s.symbol", "if(part[5] = '', symbol, part[5])"),
    "component": Dimension("component", "s.component", "part[2]"),
    "plan": Dimension("plan_id", "s.plan_id", "part[4]"),
    **{name: Dimension(when.of_row, "s.at", "at") for name, when in TIMES.items()},
}
"""Clients trade about once a day, so that sums by them would be as many as rows: they are read by rows."""

_PAGE = """
SELECT {keys}currency, sum(lots_of) AS lots, sum(accrued_of) AS accrued, sum(reversed_of) AS reversed,
    accrued - reversed AS net, sum(held_of) AS held, sum(deals_of) AS deals, [{keys}currency] AS place
FROM ({parts}) GROUP BY {keys}currency
HAVING place > {{after:Array(String)}} ORDER BY place LIMIT {{limit:UInt32}}
"""
# Added up before anything becomes text: columns of few values are grouped by their numbers.
_MONEY = """
SELECT {columns}toString(currency) AS currency, toDecimal128(0, 8) AS lots_of, sum(s.accrued) AS accrued_of,
    sum(s.reversed) AS reversed_of, sum(s.held) AS held_of, 0 AS deals_of
FROM ({sums}) AS s WHERE is_earning{conditions} GROUP BY {groups}s.currency
"""
# Shapes are few, and are added up before they are opened. Of a deal whose rows differ in lots the most of
# those that are asked for counts.
_DEALS = """
SELECT {keys}currency, max(lots_of_part) AS lots_of, toDecimal128(0, 8) AS accrued_of,
    toDecimal128(0, 8) AS reversed_of, toDecimal128(0, 8) AS held_of, any(deals) AS deals_of
FROM (
    SELECT {told_by}shape, deals, {columns}part[3] AS currency,
        if(part[6] = '', lots, toDecimal128OrZero(part[6], 8) * deals) AS lots_of_part
    FROM (
        SELECT {told_by}shape, sum(s.deals) AS deals, sum(s.lots) AS lots,
            arrayJoin(JSONExtract(toString(shape), 'Array(Array(String))')) AS part
        FROM ({deals}) AS s GROUP BY {told_by}shape
    ) AS s WHERE 1{conditions}
) GROUP BY {told_by}shape, {keys}currency
"""

_BY_ROWS = f"""
SELECT {{keys}}currency, maxIf(lots, is_standing) AS lots_of, sumIf(amount, to_ib) AS accrued_of,
    sumIf(amount, from_ib) AS reversed_of, {grown(HELD)} AS held_of, max(is_standing) AS deals_of
FROM (
    SELECT {{columns}}toString(currency) AS currency, amount, debit, credit, caused_by, lots,
        toDate32(occurred_at) AS day, {TO_IB} AS to_ib, {FROM_IB} AS from_ib,
        {IS_DEAL} AND transfer_id NOT IN ({TAKEN_BACK}) AS is_standing
    FROM transfers FINAL WHERE {{inside}} AND {EARNING}{{conditions}}
) GROUP BY {{keys}}currency, day, caused_by
"""  # noqa: S608  - the parts are constants of this room; values are parameters


@dataclass(frozen=True, slots=True)
class ReportFilter:
    """What is reported: an interval of event time; optionally of IBs, a canonical symbol, a currency."""

    interval: Interval
    ib: str = ""
    ibs: tuple[str, ...] = ()
    symbol: str = ""
    currency: str = ""


def report(
    ledger: Ledger, wanted: ReportFilter, group_by: tuple[GroupBy, ...], limit: int, cursor: str = ""
) -> dict[str, Any]:
    """One page of groups, and the totals of all groups per currency."""
    after = decode_place(cursor, len(group_by) + 1)
    read = _days(ledger, wanted, group_by)
    result = page(
        _rows(ledger, wanted, read, group_by, limit + 1, after), limit, key=lambda row: row["place"]
    )
    items = [_named(row, group_by) for row in result["items"]]
    return {**result, "items": items, "group_by": list(group_by), "totals": totals(ledger, wanted, read)}


def by_ib(ledger: Ledger, interval: Interval, limit: int) -> list[Row]:
    """One row an IB and currency, without totals."""
    wanted = ReportFilter(interval)
    rows = _rows(ledger, wanted, days_of(ledger, interval), ("ib",), limit, [])
    return [_named(row, ("ib",)) for row in rows]


def totals(ledger: Ledger, wanted: ReportFilter, read: Days | None = None) -> list[Row]:
    """One row a currency over everything the filter lets through."""
    read = days_of(ledger, wanted.interval) if read is None else read
    return [_named(row, ()) for row in _rows(ledger, wanted, read, (), MAX_CURRENCIES, [])]


def columns(group_by: tuple[GroupBy, ...]) -> list[str]:
    """The report's columns in their order."""
    return [*(_NAMES.get(group, group) for group in group_by), *MEASURES]


def _days(ledger: Ledger, wanted: ReportFilter, group_by: Sequence[GroupBy]) -> Days:
    """A day that belongs to two periods is read by its rows if periods are told apart."""
    spans = periods(ledger) if "period" in group_by else []
    cuts = (at for row in spans for at in (row["starts_at"], row["ends_at"]))
    by_month = not {"day", "week"} & set(group_by)
    return days_of(ledger, wanted.interval, cuts, by_month=by_month)


def _when(group_by: Sequence[GroupBy]) -> When:
    return next((TIMES[group] for group in group_by if group in TIMES), days.WHENEVER)


def _rows(
    ledger: Ledger,
    wanted: ReportFilter,
    read: Days,
    group_by: tuple[GroupBy, ...],
    limit: int,
    after: list[str],
) -> list[Row]:
    has_sums = all(DIMENSIONS[group].of_sum for group in group_by)
    parts = _by_sums(wanted, read, group_by) if has_sums else _by_rows(wanted, group_by)
    return ledger.rows(
        _PAGE.format(keys=_keys(group_by), parts=parts),
        ib=wanted.ib,
        ibs=list(wanted.ibs),
        symbol=wanted.symbol,
        currency=wanted.currency,
        limit=limit,
        after=after,
        **read.parameters,
    )


def _by_sums(wanted: ReportFilter, read: Days, group_by: tuple[GroupBy, ...]) -> str:
    when = _when(group_by)
    money = _MONEY.format(
        columns=_columns(group_by, [DIMENSIONS[group].of_sum for group in group_by]),
        groups="".join(f"{DIMENSIONS[group].of_sum}, " for group in group_by),
        sums=days.sums(read, when),
        conditions=_conditions(wanted, "s.ib_id", "s.symbol", "s.currency"),
    )
    symbol = DIMENSIONS["symbol"].of_part
    deals = _DEALS.format(
        keys=_keys(group_by),
        columns=_columns(group_by, [DIMENSIONS[group].of_part for group in group_by]),
        told_by=_told_by(wanted, group_by),
        deals=days.deals(read, when),
        conditions=_conditions(wanted, "part[1]", symbol, "part[3]"),
    )
    return f"{money} UNION ALL {deals}"


def _told_by(wanted: ReportFilter, group_by: Sequence[GroupBy]) -> str:
    """What deals are told apart by beside their shape; each of these makes more sums to open."""
    asked = {
        "at": _when(group_by) is not days.WHENEVER,
        "server": "server" in group_by,
        "symbol": "symbol" in group_by or bool(wanted.symbol),
    }
    return "".join(f"{name}, " for name, is_asked in asked.items() if is_asked)


def _by_rows(wanted: ReportFilter, group_by: tuple[GroupBy, ...]) -> str:
    return _BY_ROWS.format(
        keys=_keys(group_by),
        inside=INSIDE,
        columns=_columns(group_by, [DIMENSIONS[group].of_row for group in group_by]),
        conditions=_conditions(wanted, "ib_id", "symbol", "currency"),
    )


def _keys(group_by: Sequence[GroupBy]) -> str:
    return "".join(f"by_{group}, " for group in group_by)


def _columns(group_by: Sequence[GroupBy], expressions: Sequence[str]) -> str:
    pairs = zip(group_by, expressions, strict=True)
    return "".join(f"toString({expression}) AS by_{group}, " for group, expression in pairs)


def _conditions(wanted: ReportFilter, ib: str, symbol: str, currency: str) -> str:
    """What a filter asks for, by the columns that have it; the values are parameters."""
    asked = (
        (f"{ib} = {{ib:String}}", wanted.ib),
        (f"{ib} IN {{ibs:Array(String)}}", wanted.ibs),
        (f"{symbol} = {{symbol:String}}", wanted.symbol),
        (f"{currency} = {{currency:String}}", wanted.currency),
    )
    return "".join(f" AND {condition}" for condition, value in asked if value)


def _named(row: Row, group_by: tuple[GroupBy, ...]) -> Row:
    groups = {_NAMES.get(group, group): row[f"by_{group}"] for group in group_by}
    return {**groups, **{name: row[name] for name in MEASURES}}
