"""A partner book by itself, told tallies of one component of ib-north."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import localcontext
from typing import Any

from msgspec.structs import replace

from commission.books import partner as partner_book
from commission.draft import Draft
from commission.money import EXACT
from commission.outputs import Tally, Transfer
from commission.partner.buckets import ComponentPeriods
from commission.terms.calendar import PeriodDefined
from commission.terms.catalog import Terms
from commission.terms.components import Component
from commission.terms.market import RatePublished
from commission.terms.plans import PlanDefined
from commission.terms.records import TermsFact
from tests.build import D, at, partner

KEY = "s:ib-north:own:it"


def days(count: int, length: int = 1) -> tuple[PeriodDefined, ...]:
    """Periods of some days each, from the first of September 2026 on, with names that do not sort in time."""
    return tuple(
        PeriodDefined(period=f"p{count - n}", starts_at=at(1 + n * length), ends_at=at(1 + (n + 1) * length))
        for n in range(count)
    )


def tally(day: float, *amounts: str, lots: str = "1", **fields: Any) -> Tally:
    """What ib-north's component adds for something of a day."""
    values: dict[str, Any] = {
        "ib_id": "ib-north",
        "plan_id": "own",
        "plan_version": 1,
        "component": "it",
        "client_id": "anna",
        "caused_by": f"live|{day}",
        "occurred_at": at(1) + timedelta(days=day),
        "currency": "USD",
        "amounts": tuple(D(amount) for amount in amounts),
        "lots": D(lots),
        "count": 1,
    }
    return Tally(**(values | fields))


class Book:
    """A partner book by itself."""

    def __init__(self, calendar: Sequence[PeriodDefined], *plans: PlanDefined) -> None:
        self.terms = Terms().learn([*calendar, *plans, partner("ib-north USD own")])
        self.state: dict[str, Any] = {}

    def hear(self, record: Tally | RatePublished) -> list[Transfer]:
        """The rows that it brings."""
        return self.tell(record) if isinstance(record, Tally) else self.learn(record)

    def learn(self, *records: TermsFact) -> list[Transfer]:
        """The rows that what waited for these brings."""
        self.terms = self.terms.learn(records)
        draft = Draft.over(self.state)
        with localcontext(EXACT):
            partner_book.retry_early(draft, self.terms)
        self.state |= draft.writes
        return [row for row in draft.outputs if isinstance(row, Transfer)]

    def tell(self, *tallies: Tally) -> list[Transfer]:
        """The rows that these bring."""
        rows: list[Transfer] = []
        for one in tallies:
            draft = Draft.over(self.state)
            with localcontext(EXACT):
                partner_book.apply(draft, one, self.terms)
            self.state |= draft.writes
            rows += [row for row in draft.outputs if isinstance(row, Transfer)]
        return rows

    @property
    def periods(self) -> ComponentPeriods:
        """What is kept of the component."""
        found = self.state[KEY]
        assert isinstance(found, ComponentPeriods)
        return found


def owed(rows: Sequence[Transfer]) -> Any:
    """What the rows bring the IB."""
    return sum(row.amount if row.credit == "ib:ib-north:pending" else -row.amount for row in rows)


def named(component: Component) -> Component:
    """The component under the name its tallies have."""
    return replace(component, name="it")
