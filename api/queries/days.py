"""Sums of days: which are kept and hold all of their day's rows, and which days a report reads row by row.

A report decides once, before it asks anything, and all of it goes by that: a day is never in both parts.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from api.ledger import Ledger
from api.queries.day_rows import ACCOUNTS, DAY, DEALS, REFUSALS, SUM_KEYS, SUMS
from api.queries.periods import ALWAYS, INSIDE, Interval

MAX_DAYS = 110_000
"""All that ClickHouse's times can hold, 1900 to 2200."""
ONE_DAY = timedelta(days=1)

_DAYS = """
SELECT m.day AS day, b.build AS build, NOT m.is_open AND m.mark = b.mark AS is_kept
FROM (SELECT * FROM day_marks FINAL WHERE day BETWEEN {first:Date32} AND {last:Date32}) AS m
LEFT JOIN (SELECT * FROM day_builds FINAL) AS b ON b.day = m.day
ORDER BY day LIMIT {limit:UInt32}
"""
_KEPT = "(day, build) IN (SELECT arrayJoin(arrayZip({kept_days:Array(Date32)}, {kept_builds:Array(UInt64)})))"
_ROWS = f"{DAY} IN {{days:Array(Date32)}} AND {INSIDE}"


@dataclass(frozen=True, slots=True)
class Days:
    """The days of an interval that have rows: those with sums of all of them, and those without."""

    interval: Interval
    kept: tuple[tuple[date, int], ...]
    """Each with its build."""
    by_rows: tuple[date, ...]

    @property
    def parameters(self) -> dict[str, object]:
        """For a query over one of the sources below."""
        return {
            "kept_days": [day for day, _ in self.kept],
            "kept_builds": [build for _, build in self.kept],
            "days": list(self.by_rows),
            **self.interval.parameters,
        }


def days_of(ledger: Ledger, interval: Interval = ALWAYS, cuts: Iterable[datetime] = ()) -> Days:
    """Decide for each day of an interval; one that the interval or a cut divides is read by its rows."""
    rows = ledger.rows(_DAYS, first=interval.starts_at.date(), last=interval.ends_at.date(), limit=MAX_DAYS)
    divided = {at.date() for at in (interval.starts_at, interval.ends_at, *cuts) if at.timetz() != _MIDNIGHT}
    kept: list[tuple[date, int]] = []
    by_rows: list[date] = []
    for row in rows:
        if _starts(row["day"]) >= interval.ends_at:
            continue
        if row["is_kept"] and row["day"] not in divided:
            kept.append((row["day"], row["build"]))
        else:
            by_rows.append(row["day"])
    return Days(interval, tuple(kept), tuple(by_rows))


def all_days(ledger: Ledger, interval: Interval) -> list[date]:
    """The days of an interval that have rows."""
    found = days_of(ledger, interval)
    return [*(day for day, _ in found.kept), *found.by_rows]


_MIDNIGHT = time(tzinfo=UTC)


def _starts(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


# What reports are made of: kept sums and sums of rows under the same names, `at` being when


@dataclass(frozen=True, slots=True)
class When:
    """What of its time a sum is told by, for a row and for a day that nothing divides."""

    of_row: str = "''"
    of_day: str = "''"


WHENEVER = When()
BY_DAY = When(DAY, "day")


def sums(read: Days, when: When = WHENEVER) -> str:
    """Money by IB and what it was earned with."""
    return _both(read, "day_sums", f"{SUM_KEYS}, accrued, reversed, held, pending, payable", SUMS, when)


def deals(read: Days, when: When = WHENEVER) -> str:
    """Deals and their lots by shape."""
    return _both(read, "day_deals", "server, symbol, shape, deals, lots", DEALS, when)


def accounts(read: Days, when: When = WHENEVER) -> str:
    """Debits and credits of accounts."""
    return _both(read, "day_accounts", "account, currency, debit, credit", ACCOUNTS, when)


def refusals(read: Days, when: When = WHENEVER) -> str:
    """Deals that pay nothing, or nothing yet, by why."""
    return _both(read, "day_refusals", "status, code, deals", REFUSALS, when)


def _both(read: Days, table: str, columns: str, rows: str, when: When) -> str:
    """Only what there is: a part that has no day costs ClickHouse as much to plan as one that has."""
    parts = []
    if read.kept or not read.by_rows:
        parts.append(f"SELECT {when.of_day} AS at, {columns} FROM {table} WHERE {_KEPT}")  # noqa: S608 # constants
    if read.by_rows:
        parts.append(rows.format(when=when.of_row, rows=_ROWS))
    return " UNION ALL ".join(parts)
