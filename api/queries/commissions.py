"""The commission report: what IBs earned in an interval, grouped by what the reader asks for."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from api.ledger import FileKind, Ledger, Row
from api.paging import decode_place, page
from api.queries.by_days import added_up
from api.queries.commission_sql import (
    ALL,
    BY_PLACE,
    LARGEST,
    LARGEST_ALONE,
    MAX_CURRENCIES,
    TOTALS_FIRST,
    ReportFilter,
    money_sql,
    report_sql,
    volume_sql,
)
from api.queries.days import Days, days_of
from api.queries.dimensions import GroupBy, have_sums
from api.queries.periods import Interval, periods
from api.scope import Scope

Measure = Literal["lots", "accrued", "reversed", "net", "held", "deals"]
MEASURES = ("lots", "accrued", "reversed", "net", "held", "currency", "deals")
ADDED = ("lots", "accrued", "reversed", "net", "held", "deals")
ALL_DEALS = 2
"""`over` of the deals of all currencies."""
MAX_IBS = 10_000
"""Times currencies, of `volume`."""
CHANGING: frozenset[GroupBy] = frozenset({"class", "period"})
"""The terms say what these are of a sum, and may say something else tomorrow."""
APART: frozenset[GroupBy] = frozenset({"day", "week", "month", "period", "server"})
"""By these every deal is in one group: what all groups have together is the total."""
_NAMES = {"ib": "ib_id", "client": "client_id", "plan": "plan_id"}


def report(
    ledger: Ledger, wanted: ReportFilter, group_by: tuple[GroupBy, ...], limit: int, cursor: str = ""
) -> dict[str, Any]:
    """One page of groups, and the totals of all groups per currency."""
    after = decode_place(cursor, len(group_by) + 1)
    read = days_for(ledger, wanted, group_by)
    shares_no_deal, sums = {*group_by} <= APART, list[Row]()
    if shares_no_deal:
        groups = rows(ledger, wanted, read, group_by, limit + 1, after)
    else:
        groups, sums = with_totals(ledger, wanted, read, group_by, limit + 1, after)
    result = page(groups, limit, key=lambda row: row["place"])
    items = [named(row, group_by) for row in result["items"]]
    if not shares_no_deal:
        found = [named(row, ()) for row in sums]
    elif after or result["next_cursor"]:
        found = totals(ledger, wanted, read)
    else:  # all of them are here: they need not be asked for
        found = _totals_of(items)
    return {**result, "items": items, "group_by": list(group_by), "totals": found}


def _totals_of(items: Sequence[Row]) -> list[Row]:
    """The totals of groups that share no deal."""
    sums: dict[str, Row] = {}
    for row in items:
        known = sums.setdefault(row["currency"], {**dict.fromkeys(MEASURES, 0), "currency": row["currency"]})
        sums[row["currency"]] = {
            name: value if name == "currency" else value + row[name] for name, value in known.items()
        }
    return [sums[currency] for currency in sorted(sums)]


def largest_alone(
    ledger: Ledger, wanted: ReportFilter, group_by: tuple[GroupBy, ...], measure: Measure, count: int
) -> list[Row]:
    """So many groups of each currency, those with most of a measure first."""
    read = days_for(ledger, wanted, group_by)
    order = LARGEST_ALONE.format(measure=measure)
    return [
        named(row, group_by) for row in _asked(ledger, wanted, read, group_by, count, [], report_sql, order)
    ]


def largest(
    ledger: Ledger, wanted: ReportFilter, group_by: tuple[GroupBy, ...], measure: Measure, count: int
) -> dict[str, Any]:
    """The same, and the totals of all groups."""
    read = days_for(ledger, wanted, group_by)
    order = LARGEST.format(measure=measure)
    groups, sums = _split(_asked(ledger, wanted, read, group_by, count, [], report_sql, order))
    return {
        "items": [named(row, group_by) for row in groups],
        "group_by": list(group_by),
        "totals": sorted((named(row, ()) for row in sums), key=lambda row: str(row["currency"])),
        "next_cursor": None,
    }


def file(
    ledger: Ledger,
    wanted: ReportFilter,
    group_by: tuple[GroupBy, ...],
    kind: FileKind,
    max_rows: int,
    shown: Sequence[str],
) -> bytes:
    """All groups as a file by columns, which the ledger writes; raise `TooManyRows` beyond `max_rows`."""
    read = days_for(ledger, wanted, group_by)
    names = {_NAMES.get(one, one): f"by_{one} AS {_NAMES.get(one, f'`{one}`')}" for one in group_by}
    picked = ", ".join((names | dict(zip(MEASURES, MEASURES, strict=True)))[name] for name in shown)
    asked = f"SELECT {picked} FROM ({report_sql(wanted, read, group_by, ALL)})"  # noqa: S608  - constants
    return ledger.file(asked, kind, max_rows, after=[], **wanted.parameters, **read.parameters)


def blocks(ledger: Ledger, wanted: ReportFilter, group_by: tuple[GroupBy, ...]) -> Iterator[list[Row]]:
    """All groups, some thousands at a time, with the report's columns."""
    read = days_for(ledger, wanted, group_by)
    asked = report_sql(wanted, read, group_by, ALL)
    for block in ledger.long_blocks(asked, after=[], **wanted.parameters, **read.parameters):
        yield [named(row, group_by) for row in block]


def count(ledger: Ledger, wanted: ReportFilter, group_by: tuple[GroupBy, ...]) -> int:
    """How many groups there are, at the cost of the report."""
    read = days_for(ledger, wanted, group_by)
    asked = f"SELECT count() AS found FROM ({report_sql(wanted, read, group_by, '')})"  # noqa: S608  - as above
    (block,) = ledger.long_blocks(asked, after=[], **wanted.parameters, **read.parameters)
    return int(block[0]["found"])


@dataclass(frozen=True, slots=True)
class Volume:
    """Rows with `lots` and `deals`: by IB and currency, and by currency; and all deals, each once."""

    ibs: list[Row]
    currencies: list[Row]
    deals: int


def volume(ledger: Ledger, scope: Scope, interval: Interval) -> Volume:
    """Lots and deals alone: half of what a report costs, and one question for whatever of it is wanted."""
    wanted = ReportFilter(scope, interval)
    read = days_for(ledger, wanted, ("ib",))
    found = _asked(ledger, wanted, read, ("ib",), MAX_IBS, [], volume_sql, TOTALS_FIRST)
    groups, sums = _split(found)
    return Volume(
        [named(row, ("ib",)) for row in groups],
        [named(row, ()) for row in sums],
        sum(row["deals"] for row in found if row["over"] == ALL_DEALS),
    )


def money(ledger: Ledger, wanted: ReportFilter, group_by: tuple[GroupBy, ...], limit: int) -> list[Row]:
    """Accrued, reversed, net and held alone: what a report costs without its deals."""
    read = days_for(ledger, wanted, group_by, has_deals=False)
    found = _asked(ledger, wanted, read, group_by, limit, [], money_sql)
    return [named(row, group_by) for row in found]


def totals(ledger: Ledger, wanted: ReportFilter, read: Days | None = None) -> list[Row]:
    """One row a currency over everything the filter lets through."""
    read = days_for(ledger, wanted, ()) if read is None else read
    return [named(row, ()) for row in rows(ledger, wanted, read, (), MAX_CURRENCIES, [])]


def busiest(sums: Sequence[Row], default: str = "") -> str:
    """The currency with the most deals: amounts of two currencies tell nothing of which is the larger."""
    most = max(sums, key=lambda row: (row["deals"], row["currency"]), default=None)
    return default if most is None else str(most["currency"])


def columns(group_by: tuple[GroupBy, ...]) -> list[str]:
    """The report's columns in their order."""
    return [*(_NAMES.get(group, group) for group in group_by), *MEASURES]


def days_for(
    ledger: Ledger, wanted: ReportFilter, group_by: Sequence[GroupBy], *, has_deals: bool = True
) -> Days:
    """A day that belongs to two periods is read by its rows if periods are told apart."""
    asked = {*group_by, *wanted.of}
    spans = periods(ledger) if "period" in asked else []
    cuts = (at for row in spans for at in (row["starts_at"], row["ends_at"]))
    by_month = not {"day", "week"} & asked
    has_deals = has_deals and have_sums(tuple(asked))
    return days_of(
        ledger, wanted.interval, cuts, by_month=by_month, known_at=wanted.known_at, has_deals=has_deals
    )


def rows(
    ledger: Ledger,
    wanted: ReportFilter,
    read: Days,
    group_by: tuple[GroupBy, ...],
    limit: int,
    after: list[str],
) -> list[Row]:
    """The groups after a place, as they come from the ledger: `named` gives them the report's columns."""
    return _asked(ledger, wanted, read, group_by, limit, after, report_sql)


def with_totals(
    ledger: Ledger,
    wanted: ReportFilter,
    read: Days,
    group_by: tuple[GroupBy, ...],
    limit: int,
    after: list[str],
) -> tuple[list[Row], list[Row]]:
    """The same, and the totals of all groups, one a currency: asked together, for little more than one."""
    groups, sums = _split(_asked(ledger, wanted, read, group_by, limit, after, report_sql, TOTALS_FIRST))
    return groups[:limit], sums


def _split(found: list[Row]) -> tuple[list[Row], list[Row]]:
    return [row for row in found if row["over"] == 0], [row for row in found if row["over"] == 1]


def _asked(
    ledger: Ledger,
    wanted: ReportFilter,
    read: Days,
    group_by: tuple[GroupBy, ...],
    limit: int,
    after: list[str],
    sql: Callable[..., str],
    order: str = BY_PLACE,
) -> list[Row]:
    def question(part: Days) -> tuple[str, dict[str, object]]:
        values = {"limit": limit, "after": after, **wanted.parameters, **part.parameters}
        return sql(wanted, part, group_by, order), values

    asked = {*group_by, *wanted.of}
    has_totals = order == TOTALS_FIRST
    if order not in (BY_PLACE, TOTALS_FIRST) or asked & CHANGING or not have_sums(asked):
        whole, values = question(read)
        return ledger.rows(whole, **values)
    keys = [*(f"by_{group}" for group in group_by), "currency", *(("over",) if has_totals else ())]
    found = added_up(ledger, read, question, keys, ADDED)
    found.sort(key=lambda row: list(row["place"]))
    return found if has_totals else found[:limit]


def named(row: Row, group_by: tuple[GroupBy, ...]) -> Row:
    """A group under the names that the report has for its columns."""
    groups = {_NAMES.get(group, group): row[f"by_{group}"] for group in group_by}
    return {**groups, **{name: row[name] for name in MEASURES}}
