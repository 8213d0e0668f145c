"""Statement periods: which interval of event time a period's name means."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from api.ledger import Ledger, Row
from api.problems import Problem

MAX_PERIODS = 10_000
"""The newest: a century of months, twenty-seven years of days."""
BEGINNING = datetime(1900, 1, 1, tzinfo=UTC)
"""The first time that ClickHouse's DateTime64 can hold: before every event."""
END = datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Interval:
    """Event time in [starts_at, ends_at); `period` names it if it is a statement period."""

    starts_at: datetime = BEGINNING
    ends_at: datetime = END
    period: str = ""

    @property
    def parameters(self) -> dict[str, object]:
        """The interval as parameters of a query that uses `INSIDE`."""
        return {"starts_at": self.starts_at, "ends_at": self.ends_at}

    @property
    def settled_parameters(self) -> dict[str, object]:
        """The interval as parameters of a query that uses `SETTLED_INSIDE`."""
        return {**self.parameters, "of_period": self.period}

    @property
    def closing(self) -> "Interval":
        """The day of a period's closing, which is after it."""
        return Interval(self.ends_at, self.ends_at + A_DAY)


ALWAYS = Interval()
INSIDE = "occurred_at >= {starts_at:DateTime64(6, 'UTC')} AND occurred_at < {ends_at:DateTime64(6, 'UTC')}"
"""The condition every report uses for its interval."""
DAY = "toDate32(occurred_at)"
"""The first part of the key of `transfers`, in UTC."""
OF_DAYS = f"{DAY} IN {{days:Array(Date32)}}"
"""The condition that a row is of some days; its value is the parameter `days`."""
SETTLED_INSIDE = f"if({{of_period:String}} != '' AND period != '', period = {{of_period:String}}, {INSIDE})"
"""The same for balances: a closing's rows carry the instant the period ended, and belong to the period."""
A_DAY = timedelta(days=1)


def periods(ledger: Ledger) -> list[Row]:
    """All periods the terms define, newest first."""
    return ledger.rows(
        "SELECT period, starts_at, ends_at FROM periods FINAL ORDER BY starts_at DESC LIMIT {limit:UInt32}",
        limit=MAX_PERIODS,
    )


def begun(known: list[Row]) -> list[Row]:
    """Those of them that have begun by now: a calendar is of years to come."""
    now = datetime.now(UTC)
    return [row for row in known if row["starts_at"] <= now]


def interval(
    ledger: Ledger, period: str, from_: datetime | None = None, to: datetime | None = None
) -> Interval:
    """The interval of `period`, or of `from` and `to`; a period nobody defined is the caller's mistake."""
    if not period:
        return Interval(from_ or BEGINNING, to or END)
    if from_ or to:
        raise Problem(400, "Give either `period` or `from` and `to`, not both.")
    found = ledger.rows(
        "SELECT starts_at, ends_at FROM periods FINAL WHERE period = {period:String}", period=period
    )
    if not found:
        raise Problem(
            404, _unknown(period, [row["period"] for row in periods(ledger)]), code="unknown_period"
        )
    return Interval(found[0]["starts_at"], found[0]["ends_at"], period)


def _unknown(period: str, known: list[str]) -> str:
    if not known:
        return f"No period {period}: the terms define none yet. Publish periods first."
    return f"No period {period}. The newest ones are {', '.join(known[:6])}."
