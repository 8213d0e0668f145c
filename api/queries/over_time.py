"""Net commission over time, for the portal's chart: by day, or week, month or year where days are many."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Literal

from api.ledger import Ledger
from api.queries.by_days import added_up
from api.queries.days import MAX_DAYS, Days, days_of
from api.queries.dimensions import TIMES
from api.queries.periods import DAY, OF_DAYS, Interval
from api.queries.sources import When, sums
from api.scope import Scope, sees

Unit = Literal["day", "week", "month", "year"]
UNITS: tuple[tuple[Unit, int], ...] = (("day", 62), ("week", 200), ("month", 1_900), ("year", MAX_DAYS))
"""With up to how many days each is drawn: about as many bars as an eye can tell apart."""
_WHEN: dict[Unit, When] = {
    "day": TIMES["day"],
    "week": TIMES["week"],
    "month": TIMES["month"],
    "year": When(f"toStartOfYear({DAY})", "toStartOfYear(day)"),
}

MAX_ROWS = 250_000
"""Rows of a period drawn by the broker's own days: these are read row by row. Of more, days are of UTC."""
_LOCAL_DAYS = "SELECT days, first_weekday FROM periods FINAL WHERE period = {period:String}"
_COUNT = f"SELECT count() AS n FROM transfers WHERE {OF_DAYS}"  # noqa: S608  - constants
_LOCAL_DAY = When("""addDays({first_day:Date32},
    toInt32(arrayLastIndex(d -> d <= occurred_at, {day_starts:Array(DateTime64(6, 'UTC'))})) - 1)""")

_OVER_TIME = """
SELECT toDate32(s.at) AS start, if(ib_id IN {{largest:Array(String)}}, toString(ib_id), '') AS series,
    sum(s.accrued) - sum(s.reversed) AS net
FROM ({sums}) AS s WHERE is_earning AND currency = {{currency:String}} AND {seen}
GROUP BY start, series ORDER BY start, series
"""


@dataclass(frozen=True, slots=True)
class OverTime:
    """Net by the first day of each unit and IB; beyond the IBs asked for the rest is one, ``""``."""

    unit: Unit
    rows: list[tuple[date, str, Decimal]]
    is_local: bool = False
    """Whether days begin at the broker's midnight, as its periods do; else they are of UTC."""


def over_time(
    ledger: Ledger, scope: Scope, interval: Interval, currency: str, largest: Sequence[str]
) -> OverTime:
    """What these IBs earned, and all others together."""
    read = days_of(ledger, interval, by_month=False)
    if not read.all_days:
        return OverTime("day", [])
    first, last = read.bounds
    if (local := _local(ledger, scope, read, currency, largest)) is not None:
        return local
    unit = next(name for name, most in UNITS if (last - first).days < most)
    if unit in ("month", "year"):
        read = days_of(ledger, interval)

    def question(part: Days) -> tuple[str, dict[str, object]]:
        sql = _OVER_TIME.format(sums=sums(part, _WHEN[unit]), seen=sees("ib_id"))
        asked = {"currency": currency, "largest": list(largest)}
        return sql, {**asked, **part.parameters, **scope.parameters}

    rows = added_up(ledger, read, question, ("start", "series"), ("net",))
    return OverTime(unit, sorted((row["start"], row["series"], row["net"]) for row in rows))


def _local(
    ledger: Ledger, scope: Scope, read: Days, currency: str, largest: Sequence[str]
) -> OverTime | None:
    """The same of a period by its own days, from its rows; None of other intervals, and of very many rows.

    Sums are kept by days of UTC, which a period's days divide.
    """
    found = ledger.rows(_LOCAL_DAYS, period=read.interval.period) if read.interval.period else []
    starts: list[datetime] = found[0]["days"] if found else []
    if not starts or ledger.row(_COUNT, days=read.all_days)["n"] > MAX_ROWS:
        return None
    by_rows = Days(read.interval, (), tuple(read.all_days))
    sql = _OVER_TIME.format(sums=sums(by_rows, _LOCAL_DAY), seen=sees("ib_id"))
    rows = ledger.rows(
        sql,
        currency=currency,
        largest=list(largest),
        first_day=first_day(starts[0], found[0]["first_weekday"]),
        day_starts=starts,
        **by_rows.parameters,
        **scope.parameters,
    )
    return OverTime("day", [(row["start"], row["series"], row["net"]) for row in rows], is_local=True)


def first_day(starts_at: datetime, weekday: int) -> date:
    """The broker's date of a midnight of its own: of the two days around it the one of that weekday."""
    day = starts_at.astimezone(UTC).date()
    return next((one for one in (day, day + timedelta(days=1)) if one.weekday() == weekday), day)


def starts_of(unit: Unit, first: date, last: date) -> list[date]:
    """The first days of all units from one to another."""
    found = [first]
    while (start := _next(unit, found[-1])) <= last:
        found.append(start)
    return found


def _next(unit: Unit, start: date) -> date:
    match unit:
        case "day":
            return start + timedelta(days=1)
        case "week":
            return start + timedelta(days=7)
        case "month":
            return (start.replace(day=1) + timedelta(days=31)).replace(day=1)
        case "year":
            return start.replace(year=start.year + 1)
