"""Net commission over time, for the portal's chart: by day, or week, month or year where days are many."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal

from api.ledger import Ledger
from api.queries.by_days import added_up
from api.queries.days import MAX_DAYS, Days, days_of
from api.queries.dimensions import TIMES
from api.queries.periods import DAY, Interval
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

_OVER_TIME = """
SELECT toDate32(s.at) AS start, if(ib_id IN {{largest:Array(String)}}, toString(ib_id), '') AS series,
    sum(s.accrued) - sum(s.reversed) AS net
FROM ({sums}) AS s WHERE is_earning AND currency = {{currency:String}} AND {seen}
GROUP BY start, series ORDER BY start, series
"""


@dataclass(frozen=True, slots=True)
class OverTime:
    """Net by the first day of each unit, in UTC, and IB; beyond the IBs asked for the rest is one, ``""``."""

    unit: Unit
    rows: list[tuple[date, str, Decimal]]


def over_time(
    ledger: Ledger, scope: Scope, interval: Interval, currency: str, largest: Sequence[str]
) -> OverTime:
    """What these IBs earned, and all others together."""
    read = days_of(ledger, interval, by_month=False)
    first, last = read.bounds
    unit = next(name for name, most in UNITS if (last - first).days < most)
    if unit in ("month", "year"):
        read = days_of(ledger, interval)

    def question(part: Days) -> tuple[str, dict[str, object]]:
        sql = _OVER_TIME.format(sums=sums(part, _WHEN[unit]), seen=sees("ib_id"))
        asked = {"currency": currency, "largest": list(largest)}
        return sql, {**asked, **part.parameters, **scope.parameters}

    rows = added_up(ledger, read, question, ("start", "series"), ("net",))
    return OverTime(unit, sorted((row["start"], row["series"], row["net"]) for row in rows))


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
