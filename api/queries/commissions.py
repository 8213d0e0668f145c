"""The commission report: what IBs earned in an interval, grouped by what the reader asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from api.ledger import FileKind, Ledger, Row
from api.paging import decode_place, page
from api.queries import days
from api.queries.days import Days, When, days_of
from api.queries.dimensions import DIMENSIONS, TIMES, GroupBy, have_sums, joins
from api.queries.money import EARNING, FROM_IB, IS_DEAL, TO_IB, grown
from api.queries.periods import INSIDE, Interval, periods
from commission.accounts import HELD

Measure = Literal["lots", "accrued", "reversed", "net", "held", "deals"]
MEASURES = ("lots", "accrued", "reversed", "net", "held", "currency", "deals")
MAX_CURRENCIES = 1_000
_NAMES = {"ib": "ib_id", "client": "client_id", "plan": "plan_id"}

_PAGE = """
SELECT {keys}currency, sum(lots_of) AS lots, sum(accrued_of) AS accrued, sum(reversed_of) AS reversed,
    accrued - reversed AS net, sum(held_of) AS held, sum(deals_of) AS deals, [{keys}currency] AS place
FROM ({parts}) GROUP BY {keys}currency
HAVING place > {{after:Array(String)}} {order}
"""
_BY_PLACE = "ORDER BY place LIMIT {limit:UInt32}"
_ALL = "ORDER BY place"
_LARGEST = "ORDER BY {measure} DESC, place LIMIT {{limit:UInt32}} BY currency"
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
        {IS_DEAL} AND transfer_id NOT IN ({{taken_back}}) AS is_standing
    FROM {{rows}} WHERE {{inside}} AND {EARNING}{{conditions}}
) GROUP BY {{keys}}currency, day, caused_by
"""  # noqa: S608  - the parts are constants of this room; values are parameters
_JOINED = "(SELECT * FROM transfers FINAL WHERE {inside}) AS t {joins}"


@dataclass(frozen=True, slots=True)
class ReportFilter:
    """What is reported: an interval of event time; optionally of IBs, of a currency, of single dimensions.

    `known_at` leaves out what was stored later.
    """

    interval: Interval
    ibs: tuple[str, ...] = ()
    currency: str = ""
    of: Mapping[GroupBy, str] = field(default_factory=dict)
    """Dimension → the one value that is reported."""
    known_at: datetime | None = None

    @property
    def parameters(self) -> dict[str, object]:
        """For the conditions of `_conditions`."""
        values = {f"of_{name}": value for name, value in self.of.items()}
        return {"ibs": list(self.ibs), "currency": self.currency, **values}


def report(
    ledger: Ledger, wanted: ReportFilter, group_by: tuple[GroupBy, ...], limit: int, cursor: str = ""
) -> dict[str, Any]:
    """One page of groups, and the totals of all groups per currency."""
    after = decode_place(cursor, len(group_by) + 1)
    read = days_for(ledger, wanted, group_by)
    result = page(rows(ledger, wanted, read, group_by, limit + 1, after), limit, key=lambda row: row["place"])
    items = [named(row, group_by) for row in result["items"]]
    return {**result, "items": items, "group_by": list(group_by), "totals": totals(ledger, wanted, read)}


def largest(
    ledger: Ledger, wanted: ReportFilter, group_by: tuple[GroupBy, ...], measure: Measure, count: int
) -> dict[str, Any]:
    """So many groups of each currency, those with most of a measure first, and the totals of all groups."""
    read = days_for(ledger, wanted, group_by)
    found = rows(ledger, wanted, read, group_by, count, [], _LARGEST.format(measure=measure))
    items = [named(row, group_by) for row in found]
    sums = totals(ledger, wanted, read)
    return {"items": items, "group_by": list(group_by), "totals": sums, "next_cursor": None}


def file(
    ledger: Ledger, wanted: ReportFilter, group_by: tuple[GroupBy, ...], kind: FileKind, max_rows: int
) -> bytes:
    """All groups as a file by columns, which the ledger writes; raise `TooManyRows` beyond `max_rows`."""
    read = days_for(ledger, wanted, group_by)
    names = ", ".join(f"by_{group} AS {_NAMES.get(group, f'`{group}`')}" for group in group_by)
    measures = ", ".join(MEASURES)
    asked = f"SELECT {names}{', ' if names else ''}{measures} FROM ({sql(wanted, read, group_by, _ALL)})"  # noqa: S608
    return ledger.file(asked, kind, max_rows, after=[], **wanted.parameters, **read.parameters)


def by_ib(ledger: Ledger, interval: Interval, limit: int) -> list[Row]:
    """One row an IB and currency, without totals."""
    wanted = ReportFilter(interval)
    found = rows(ledger, wanted, days_of(ledger, interval), ("ib",), limit, [])
    return [named(row, ("ib",)) for row in found]


def totals(ledger: Ledger, wanted: ReportFilter, read: Days | None = None) -> list[Row]:
    """One row a currency over everything the filter lets through."""
    read = days_for(ledger, wanted, ()) if read is None else read
    return [named(row, ()) for row in rows(ledger, wanted, read, (), MAX_CURRENCIES, [])]


def columns(group_by: tuple[GroupBy, ...]) -> list[str]:
    """The report's columns in their order."""
    return [*(_NAMES.get(group, group) for group in group_by), *MEASURES]


def days_for(ledger: Ledger, wanted: ReportFilter, group_by: Sequence[GroupBy]) -> Days:
    """A day that belongs to two periods is read by its rows if periods are told apart."""
    asked = {*group_by, *wanted.of}
    spans = periods(ledger) if "period" in asked else []
    cuts = (at for row in spans for at in (row["starts_at"], row["ends_at"]))
    by_month = not {"day", "week"} & asked
    return days_of(ledger, wanted.interval, cuts, by_month=by_month, known_at=wanted.known_at)


def _when(asked: Sequence[GroupBy]) -> When:
    return next((TIMES[group] for group in asked if group in TIMES), days.WHENEVER)


def rows(
    ledger: Ledger,
    wanted: ReportFilter,
    read: Days,
    group_by: tuple[GroupBy, ...],
    limit: int,
    after: list[str],
    order: str = _BY_PLACE,
) -> list[Row]:
    """The groups after a place, as they come from the ledger: `named` gives them the report's columns."""
    return ledger.rows(
        sql(wanted, read, group_by, order), limit=limit, after=after, **wanted.parameters, **read.parameters
    )


def sql(wanted: ReportFilter, read: Days, group_by: tuple[GroupBy, ...], order: str = _BY_PLACE) -> str:
    """The query of a report, whose values are the parameters of the filter and of the days."""
    parts = _by_sums if have_sums((*group_by, *wanted.of)) else _by_rows
    return _PAGE.format(keys=_keys(group_by), parts=parts(wanted, read, group_by), order=order)


def _by_sums(wanted: ReportFilter, read: Days, group_by: tuple[GroupBy, ...]) -> str:
    when = _when(group_by)
    money = _MONEY.format(
        columns=_columns(group_by, [DIMENSIONS[group].of_sum for group in group_by]),
        groups="".join(f"{DIMENSIONS[group].of_sum}, " for group in group_by),
        sums=days.sums(read, when),
        conditions=_conditions(wanted, "s.ib_id", "s.currency", {n: DIMENSIONS[n].of_sum for n in wanted.of}),
    )
    deals = _DEALS.format(
        keys=_keys(group_by),
        columns=_columns(group_by, [DIMENSIONS[group].of_part for group in group_by]),
        told_by=_told_by((*group_by, *wanted.of)),
        deals=days.deals(read, when),
        conditions=_conditions(wanted, "part[1]", "part[3]", {n: DIMENSIONS[n].of_part for n in wanted.of}),
    )
    return f"{money} UNION ALL {deals}"


def _told_by(asked: Sequence[GroupBy]) -> str:
    """What deals are told apart by beside their shape; each of these makes more sums to open."""
    apart = {
        "at": _when(asked) is not days.WHENEVER,
        "server": "server" in asked,
        "symbol": "symbol" in asked or "class" in asked,
    }
    return "".join(f"{name}, " for name, is_asked in apart.items() if is_asked)


def _by_rows(wanted: ReportFilter, read: Days, group_by: tuple[GroupBy, ...]) -> str:
    inside = f"{INSIDE} AND {read.known}"
    joined = joins((*group_by, *wanted.of), INSIDE)
    return _BY_ROWS.format(
        keys=_keys(group_by),
        inside=inside,
        rows=_JOINED.format(inside=inside, joins=joined) if joined else "transfers FINAL",
        taken_back=read.taken_back,
        columns=_columns(group_by, [DIMENSIONS[group].of_row for group in group_by]),
        conditions=_conditions(wanted, "ib_id", "currency", {n: DIMENSIONS[n].of_row for n in wanted.of}),
    )


def _keys(group_by: Sequence[GroupBy]) -> str:
    return "".join(f"by_{group}, " for group in group_by)


def _columns(group_by: Sequence[GroupBy], expressions: Sequence[str]) -> str:
    pairs = zip(group_by, expressions, strict=True)
    return "".join(f"toString({expression}) AS by_{group}, " for group, expression in pairs)


def _conditions(wanted: ReportFilter, ib: str, currency: str, of: Mapping[GroupBy, str]) -> str:
    """What a filter asks for, by the expressions that have it; the values are parameters."""
    asked = [f"{expression} = {{of_{name}:String}}" for name, expression in of.items()]
    if wanted.ibs:
        asked.append(f"{ib} IN {{ibs:Array(String)}}")
    if wanted.currency:
        asked.append(f"{currency} = {{currency:String}}")
    return "".join(f" AND {condition}" for condition in asked)


def named(row: Row, group_by: tuple[GroupBy, ...]) -> Row:
    """A group under the names that the report has for its columns."""
    groups = {_NAMES.get(group, group): row[f"by_{group}"] for group in group_by}
    return {**groups, **{name: row[name] for name in MEASURES}}
