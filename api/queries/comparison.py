"""The commission report beside that of the interval before."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from api.ledger import Ledger, Row
from api.paging import decode_place, page
from api.problems import Problem
from api.queries.commission_sql import ReportFilter
from api.queries.commissions import days_for, named, with_totals
from api.queries.dimensions import TIMES, GroupBy
from api.queries.periods import BEGINNING, END, Interval, periods

COMPARED = ("lots", "accrued", "reversed", "net", "held", "deals")
_NOTHING: Row = {**dict.fromkeys(COMPARED, Decimal(0)), "deals": 0}


def interval_before(ledger: Ledger, interval: Interval) -> Interval:
    """The period before a period; as long a time before `from` else."""
    if interval.period:
        earlier = [row for row in periods(ledger) if row["ends_at"] <= interval.starts_at]
        if not earlier:
            raise Problem(404, f"No period is before {interval.period}.", code="unknown_period")
        return Interval(earlier[0]["starts_at"], earlier[0]["ends_at"], earlier[0]["period"])
    if interval.starts_at == BEGINNING or interval.ends_at == END:
        raise Problem(422, "Give a `period`, or `from` and `to`, to compare with the time before.")
    starts_at = interval.starts_at - (interval.ends_at - interval.starts_at)
    return Interval(max(starts_at, BEGINNING), interval.starts_at)


def compared(
    ledger: Ledger, wanted: ReportFilter, group_by: tuple[GroupBy, ...], limit: int, cursor: str = ""
) -> dict[str, Any]:
    """A page of the groups of either interval; each row has what it was `before`, and so have the totals."""
    if TIMES.keys() & {*group_by}:
        raise Problem(422, f"A report by {', '.join(TIMES)} is not compared; group it by something else.")
    earlier = replace(wanted, interval=interval_before(ledger, wanted.interval))
    after = decode_place(cursor, len(group_by) + 1)
    # What is on this page of both together is on the same page of each.
    now, then = (
        with_totals(ledger, one, days_for(ledger, one, group_by), group_by, limit + 1, after)
        for one in (wanted, earlier)
    )
    groups, sums = (_both(*pair) for pair in zip(now, then, strict=True))
    found = page(groups, limit, key=lambda row: row["place"])
    return {
        "items": [_named(row, group_by) for row in found["items"]],
        "totals": [_named(row, ()) for row in sums],
        "group_by": list(group_by),
        "next_cursor": found["next_cursor"],
        "before": {"from": earlier.interval.starts_at, "to": earlier.interval.ends_at},
    }


def _both(rows: list[Row], earlier: list[Row]) -> list[Row]:
    now, then = ({tuple(row["place"]): row for row in of} for of in (rows, earlier))
    return [
        (now.get(place) or then[place] | _NOTHING)
        | {"before": {**_NOTHING, **_measures(then.get(place, {}))}}
        for place in sorted(now.keys() | then.keys())
    ]


def _measures(row: Row) -> Row:
    return {name: row[name] for name in COMPARED if name in row}


def _named(row: Row, group_by: tuple[GroupBy, ...]) -> Row:
    return {**named(row, group_by), "before": row["before"]}
