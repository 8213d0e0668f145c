"""Sums of days: which are kept and hold all of their day's rows, and which days a report reads row by row.

A report decides once, before it asks anything, and all of it goes by that: a day is never in both parts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from itertools import groupby

from api.ledger import Ledger
from api.queries.money import taken_back
from api.queries.periods import ALWAYS, Interval
from api.queries.stretches import Stretch, stretch_of, with_touched

MAX_DAYS = 110_000
"""All that ClickHouse's times can hold, 1900 to 2200."""

_DAYS = """
SELECT m.day AS day, b.build AS build,
    NOT m.is_open AND m.mark = b.mark AND m.mark <= {known:UInt64} AS is_kept
FROM (SELECT * FROM day_marks FINAL WHERE day BETWEEN {first:Date32} AND {last:Date32}) AS m
LEFT JOIN (SELECT * FROM day_builds FINAL) AS b ON b.day = m.day
ORDER BY day LIMIT {limit:UInt32}
"""

_STAMP = """
SELECT toString(cityHash64(groupArray((day, mark)))) AS stamp, max(is_open) AS is_open FROM (
    SELECT day, mark, is_open FROM day_marks FINAL
    WHERE day BETWEEN {first:Date32} AND {last:Date32} ORDER BY day
)
"""
_MONTHS = "SELECT month, of, build FROM month_builds FINAL LIMIT {limit:UInt32}"

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MARK = 2**64 - 1
"""Marks are nanoseconds since the epoch."""
KNOWN = "stored_at <= {known_at:DateTime64(3, 'UTC')}"
TAKEN_BACK_THEN = f"""
SELECT assumeNotNull(reverses) FROM transfers
WHERE reverses IS NOT NULL AND NOT mapContains(factors, 'share') AND {KNOWN}
"""  # noqa: S608  - the parts are constants of this file; values are parameters

KeptDay = tuple[date, int]
"""A day, or the first of a month for all of it, and its build."""


@dataclass(frozen=True, slots=True)
class Days:
    """The days of an interval that have rows: those with sums of all of them, of some, and those without."""

    interval: Interval
    kept: tuple[KeptDay, ...]
    """Each with its build."""
    by_rows: tuple[date, ...]
    stretch: Stretch = field(default_factory=Stretch)
    """What is above it is read by rows."""
    known_at: datetime | None = None
    """Rows stored later are left out."""

    @property
    def bounds(self) -> tuple[date, date]:
        """The first day and the last that have rows, if one has."""
        return min(self.all_days), max(self.all_days)

    @property
    def all_days(self) -> list[date]:
        """Those that have rows, a month that is kept by its first."""
        return [*(day for day, _ in self.kept), *self.unsummed]

    @property
    def unsummed(self) -> list[date]:
        """Those that do not have sums of all of their rows."""
        return [*self.by_rows, *self.stretch.days]

    @property
    def known(self) -> str:
        """The condition that a row was stored by then."""
        return KNOWN if self.known_at else "1"

    def taken_back(self, rows: str) -> str:
        """The accruals among some rows, and maybe others, of which nothing was left by then."""
        return TAKEN_BACK_THEN if self.known_at else taken_back(rows)

    @property
    def parameters(self) -> dict[str, object]:
        """For a query over one of the sources below."""
        return {
            **({"known_at": self.known_at} if self.known_at else {}),
            "kept_days": [day for day, _ in self.kept],
            "kept_builds": [build for _, build in self.kept],
            "days": list(self.by_rows),
            "unsummed": self.unsummed,
            **self.stretch.parameters,
            **self.interval.parameters,
        }


def days_of(
    ledger: Ledger,
    interval: Interval = ALWAYS,
    cuts: Iterable[datetime] = (),
    *,
    by_month: bool = True,
    known_at: datetime | None = None,
    has_deals: bool = False,
) -> Days:
    """Decide for each day of an interval; one that the interval or a cut divides is read by its rows.

    A month that nothing divides is read by the sums of the month, unless days are to be told apart. A day
    that was written after `known_at` is read by those of its rows that were stored by then. Who counts deals
    says so: which of them changed meanwhile is then looked for once.
    """
    cuts = (interval.starts_at, interval.ends_at, *cuts)
    known = int((known_at - EPOCH) / timedelta(microseconds=1)) * 1_000 if known_at else LAST_MARK
    rows = ledger.rows(
        _DAYS,
        first=interval.starts_at.date(),
        last=interval.ends_at.date(),
        known=max(known, 0),
        limit=MAX_DAYS,
    )
    divided = {at.date() for at in cuts if at.timetz() != _MIDNIGHT}
    kept: list[KeptDay] = []
    by_rows: list[date] = []
    for row in rows:
        if _starts(row["day"]) >= interval.ends_at:
            continue
        if row["is_kept"] and row["day"] not in divided:
            kept.append((row["day"], row["build"]))
        else:
            by_rows.append(row["day"])
    if by_month and len(kept) > 1:
        kept = _months(ledger, kept, by_rows, cuts)
    if known_at:
        return Days(interval, tuple(kept), tuple(by_rows), known_at=known_at)
    stretch = stretch_of(ledger, (day for day in by_rows if day not in divided))
    plain = (day for day in by_rows if day not in stretch.days)
    if has_deals:
        stretch = with_touched(ledger, stretch)
    return Days(interval, tuple(kept), tuple(plain), stretch)


def _months(
    ledger: Ledger, kept: list[KeptDay], by_rows: list[date], cuts: Sequence[datetime]
) -> list[KeptDay]:
    """The same with each month as one, where all of its days are kept and it was built of just them."""
    divided = {month_of(at.date()) for at in cuts if at != _starts(month_of(at.date()))}
    divided |= {month_of(day) for day in by_rows}
    built = {row["month"]: row for row in ledger.rows(_MONTHS, limit=MAX_DAYS)}
    found: list[KeptDay] = []
    for month, group in groupby(kept, key=lambda one: month_of(one[0])):
        days, build = list(group), built.get(month)
        is_one = build is not None and month not in divided and build["of"] == fingerprint(days)
        found += [(month, build["build"])] if is_one and build is not None else days
    return found


def stamp_of(ledger: Ledger, interval: Interval) -> tuple[str, bool]:
    """What changes once rows of the interval's days do, and whether rows are being written into one of them.

    A mark is opened before the first row that changes its day, be it a reversal of another day's accrual, and
    closed with a newer one after the last: a closed one says that nothing came since. While one is open, rows
    may come under the same mark.
    """
    bounds = {"first": interval.starts_at.date(), "last": interval.ends_at.date()}
    row = ledger.row(_STAMP, **bounds)
    return str(row["stamp"]), bool(row["is_open"])


def month_of(day: date) -> date:
    """The first day of its month."""
    return day.replace(day=1)


def fingerprint(days: Iterable[KeptDay]) -> str:
    """What says of which builds a month was added up."""
    return sha256(" ".join(f"{day}/{build}" for day, build in days).encode()).hexdigest()


def all_days(ledger: Ledger, interval: Interval) -> list[date]:
    """The days of an interval that have rows."""
    return days_of(ledger, interval, by_month=False).all_days


_MIDNIGHT = time(tzinfo=UTC)


def _starts(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
