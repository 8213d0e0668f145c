"""Periods too old to change are folded into an opening; what comes after goes on as if they were there."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import localcontext
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from commission.books import partner as partner_book
from commission.draft import Draft
from commission.money import EXACT
from commission.outputs import Tally, Transfer
from commission.partner import folding
from commission.partner.buckets import KEPT, ComponentPeriods
from commission.terms.calendar import PeriodDefined
from commission.terms.catalog import Terms
from commission.terms.components import CohortBonus, Component, Cpl, DepositShare, PerLot, RevenueShare
from commission.terms.plans import Clawback, PlanDefined
from commission.terms.rates import Band, Caps, Tiers
from streams.state_codec import encode_state as dump
from tests.build import D, at, exchange, partner, per_lot, plan, rates

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


NET = RevenueShare(name="it", rates=rates("*=0.5"), terms=("client_result",))


def test_a_loss_is_carried_through_500_days() -> None:
    """5,000 lost by the IB on day 0, 9.99 earned on each of 500 days: 4,995, so nothing is due.

    Days before 100 are folded, for they ended 400 days or more before day 500 began.
    """
    book = Book(days(501), plan("own USD", NET))
    assert book.tell(tally(0, "-5000"), *(tally(day, "9.99") for day in range(1, 501))) == []
    assert len(book.periods.buckets) == 401
    opening = book.periods.opening
    assert opening is not None
    assert opening.until == at(1) + timedelta(days=100)
    assert opening.carried == {"": D("-4010.99")}  # -5,000 + 99 x 9.99
    assert owed(book.tell(tally(500, "25"))) == D(20)


def test_a_late_tally_counts_in_the_first_period_that_is_kept() -> None:
    """A loss of 7 of day 0, told on day 500, when days before 100 are folded: day 100 had 5, day 500 3.

    Day 100 is worth 0 for it, which takes the 5 back, and 2 are carried: day 500 is worth 3 - 2 = 1.
    """
    book = Book(days(501), plan("own USD", NET))
    assert owed(book.tell(tally(0, "4"), tally(100, "5"), tally(500, "3"))) == D(12)
    assert list(book.periods.buckets) == ["p401", "p1"]
    rows = book.tell(tally(0, "-7"))
    assert [(row.caused_by.rpartition("|")[2], row.factors["due"]) for row in rows] == [
        ("p401", 0),
        ("p1", 1),
    ]
    assert owed(rows) == D(-7)
    assert {row.factors["told_for"] for row in rows} == {"p501"}


def test_a_period_that_waits_for_a_rate_is_not_folded() -> None:
    """Its cap is of euros, and no rate is known: it stays open, and is settled once there is one."""
    component = named(per_lot("*=5", caps=Caps(per_period=D(3))))
    book = Book(days(900), plan("own EUR", component))
    assert book.tell(tally(0, "5"), tally(800, "5")) == []
    assert list(book.periods.buckets) == ["p900", "p100"]
    book.terms = book.terms.learn([exchange("EUR/USD 1", day=1), exchange("EUR/USD 1", day=801)])
    draft = Draft.over(book.state)
    with localcontext(EXACT):
        partner_book.retry_early(draft, book.terms)
    assert owed(draft.outputs) == D(-4)
    book.state |= draft.writes
    assert owed(book.tell(tally(801, "5"))) == D(-2)
    assert list(book.periods.buckets) == ["p100", "p99"]


def test_twenty_years_of_days_are_small() -> None:
    """A tally a month for 20 years and one on each of the last 400 days, which are kept: under 100 kB."""
    book = Book(days(7300), plan("own USD", NET))
    for number in range(20):
        book.tell(*(tally(365 * number + day, "1.25") for day in (*range(0, 365, 30), 364)))
    book.tell(*(tally(day, "1.25") for day in range(6900, 7300)))
    assert len(book.periods.buckets) == 400
    assert len(dump(book.periods)) < 100_000


BANDS = (Band(start=D(2), factor=D(2)), Band(start=D(5), factor=D(3)))
KINDS: tuple[Component, ...] = (
    NET,
    replace(NET, scope="client"),
    replace(NET, carry_over=False, quarantine_below=D(3)),
    replace(NET, quarantine_below=D(2)),
    DepositShare(name="it", share=D("0.5"), of="net"),
    Cpl(name="it", amounts=(), min_ftd_rate=D("0.5")),
    CohortBonus(name="it", amount=D(9), clients=1, min_lots=D(2)),
    PerLot(name="it", rates=rates("*=1"), tiers=Tiers(by="lots", bands=BANDS)),
    PerLot(name="it", rates=rates("*=1"), caps=Caps(per_day=D(3), per_period=D(5))),
    *(
        PerLot(
            name="it",
            rates=rates("*=1"),
            tiers=Tiers(by=by, bands=BANDS, mode="level", lookback_periods=back, promote=promote, **more),
        )
        for by, back, promote, more in (
            ("lots", 1, "next_day", {}),
            ("lots", 3, "next_period", {"grace_periods": 1}),
            ("active_clients", 2, "next_day", {"step": 1, "grace_periods": 2}),
            ("amount", 0, "next_period", {"step": 1}),
        )
    ),
)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Tally], list[PlanDefined]]:
    """A year of tallies, each told at most 30 days late, of two versions of a plan."""
    one, other = draw(st.sampled_from(KINDS)), draw(st.sampled_from(KINDS))
    second = replace(plan("own USD", other), version=2, since=at(180), clawback=Clawback())
    told: list[tuple[int, Tally]] = []
    for number in range(draw(st.integers(1, 25))):
        day, late = draw(st.integers(0, 359)), draw(st.integers(0, 30))
        amount = draw(st.integers(-6, 6))
        one_tally = tally(
            day,
            *(str(amount * factor) for factor in (1, 2, 3)),
            lots=str(draw(st.integers(-1, 4))),
            client_id=draw(st.sampled_from(["anna", "ben"])),
            plan_version=1 if day < 179 else 2,
            deposited=draw(st.integers(0, 1)),
            caused_by=f"live|{number}",
        )
        told.append((day + late, one_tally))
    told.sort(key=lambda pair: pair[0])
    return [one_tally for _, one_tally in told], [plan("own USD", one), second]


@settings(deadline=None, max_examples=40)
@given(histories(), st.sampled_from([1, 7, 15]))
def test_a_short_memory_gives_the_ledger_of_a_long_one(
    history: tuple[list[Tally], list[PlanDefined]], length: int
) -> None:
    """For everything that is told in time: the same rows, though the periods before 30 days are folded."""
    tallies, plans = history
    calendar = days(-(-360 // length), length)
    long, short = Book(calendar, *plans), Book(calendar, *plans)
    expected = long.tell(*tallies)
    with patch.object(folding, "KEPT", timedelta(days=30)):
        found = short.tell(*tallies)
    assert found == expected
    assert len(short.periods.buckets) <= -(-30 // length) + 2


@settings(deadline=None, max_examples=100)
@given(histories())
def test_a_late_tally_loses_no_money(history: tuple[list[Tally], list[PlanDefined]]) -> None:
    """Told in any order, whatever is folded: what a period is worth is what was accrued and posted.

    The sums of what is folded and what is kept are those of all that was told.
    """
    tallies, plans = history
    book = Book(days(360), *plans)
    with patch.object(folding, "KEPT", timedelta(days=20)):
        rows = book.tell(*sorted(tallies, key=lambda one: str(one.caused_by)))
    posted = sum(bucket.posted for bucket in book.periods.buckets.values())
    folded_rows = [row for row in rows if row.caused_by.rpartition("|")[2] not in book.periods.buckets]
    assert owed(rows) - owed(folded_rows) == posted


def test_what_is_kept_covers_every_clawback_window() -> None:
    """400 days are more than twice the usual 180, whatever the calendar is made of."""
    assert Clawback().window_days * 2 < KEPT.days
