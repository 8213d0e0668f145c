"""Old periods are folded into keys of their own and an opening; all goes on as if they were not."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from commission.outputs import Tally, Transfer
from commission.partner import folding
from commission.partner.buckets import KEPT
from commission.terms.components import (
    CohortBonus,
    Component,
    Cpa,
    CpaAmount,
    Cpl,
    DepositShare,
    PerLot,
    RevenueShare,
    SpreadShare,
)
from commission.terms.market import RatePublished
from commission.terms.plans import Clawback, PlanDefined
from commission.terms.rates import Band, Caps, Tiers
from streams.state_codec import encode_state as dump
from tests.build import D, at, exchange, per_lot, plan, rates
from tests.commission.partner.book import Book, days, named, owed, tally
from tests.effort import tries


def settled(rows: Sequence[Transfer]) -> dict[str, Any]:
    """What the rows bring the IB, by the period that they settle."""
    names = dict.fromkeys(row.caused_by.rpartition("|")[2] for row in rows)
    return {n: owed([row for row in rows if row.caused_by.endswith(f"|{n}")]) for n in names}


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


def test_a_late_loss_counts_in_its_own_period() -> None:
    """A loss of 7 of day 0, told when days before 100 are folded: day 0 had 4, day 100 had 5, day 500 had 3.

    Day 0 is worth max(0, 4 - 7) = 0 instead of 4 and carries 3, so day 100 is worth 5 - 3 = 2, and day 500
    still 3. After a gain of 3 on day 0 nothing is carried, and day 100 has its 5 again.
    """
    book = Book(days(501), plan("own USD", NET))
    assert owed(book.tell(tally(0, "4"), tally(100, "5"), tally(500, "3"))) == D(12)
    assert list(book.periods.buckets) == ["p401", "p1"]
    assert settled(book.tell(tally(0, "-7"))) == {"p501": D(-4), "p401": D(-3)}
    assert settled(book.tell(tally(0, "3"))) == {"p401": D(3)}
    assert list(book.periods.buckets) == ["p401", "p1"]


def test_a_cancelled_deal_of_a_folded_capped_period_takes_what_its_cap_left() -> None:
    """At most 15 a day: 50 on day 0 are 15. Day 0 is folded, and its 50 are taken back: it had 15 to give.

    The client book takes its 50 back itself; the true-up of -35 that cut them to 15 is turned by one of 35.
    A period of its own kind goes by itself: the state read with every tally is as it was.
    """
    book = Book(days(501), plan("own USD", named(per_lot("*=10", caps=Caps(per_period=D(15))))))
    assert settled(book.tell(tally(0, "50"), tally(500, "10"))) == {"p501": D(-35)}
    before = book.periods
    assert list(before.buckets) == ["p1"]
    assert settled(book.tell(tally(0, "-50"))) == {"p501": D(35)}
    assert settled(book.tell(tally(0, "20"))) == {"p501": D(-5)}
    assert book.periods == before


def test_a_folded_period_of_a_tier_that_is_told_late_reaches_its_band() -> None:
    """From 2 lots on everything counts twice: 1 lot of 5 on day 0, one more told 500 days later: 10 more."""
    doubled = Tiers(by="lots", bands=(Band(start=D(2), factor=D(2)),))
    book = Book(days(501), plan("own USD", named(per_lot("*=5", tiers=doubled))))
    assert book.tell(tally(0, "5", "10"), tally(500, "5", "10")) == []
    assert settled(book.tell(tally(0, "5", "10"))) == {"p501": D(10)}


def test_a_level_that_looks_further_back_than_before_reads_what_is_folded() -> None:
    """Version 2 looks 450 days back: the 5 lots of day 55 are inside on day 500, though folded by then.

    Its band 1, from 5 lots on, counts twice: the 5 of day 500, a day of one lot, become 10.
    """
    level = Tiers(by="lots", bands=(Band(start=D(5), factor=D(2)),), mode="level", lookback_periods=1)
    wide = replace(level, lookback_periods=450)
    first = plan("own USD", named(per_lot("*=5", tiers=level)))
    book = Book(days(501), first)
    assert book.tell(tally(55, "5", "10", lots="5"), tally(499, "5", "10")) == []
    assert list(book.periods.buckets) == ["p2"]
    second = replace(plan("own USD", named(per_lot("*=5", tiers=wide))), version=2, since=at(501))
    book.terms = book.terms.learn([second])
    assert settled(book.tell(tally(500, "5", "10", plan_version=2))) == {"p1": D(5)}


def test_a_folded_week_of_three_versions_goes_by_its_days() -> None:
    """From 2 lots on a level of twice the rate, from the next day: versions 1 and 2 bring one each.

    So the 5 of day 2 count 10, told when the week is long folded; version 3 has no tiers, its 5 stay 5.
    """
    level = Tiers(by="lots", bands=(Band(start=D(2), factor=D(2)),), mode="level", promote="next_day")
    tiered, plain = named(per_lot("*=5", tiers=level)), named(per_lot("*=5"))
    versions = [replace(plan("own USD", c), version=n) for n, c in enumerate((tiered, tiered, plain), 1)]
    book = Book(days(70, 7), *versions)
    assert book.tell(tally(0, "5", "10"), tally(1, "5", "10", plan_version=2)) == []
    assert book.tell(tally(3, "5", plan_version=3), tally(483, "5", "10", plan_version=2)) == []
    assert list(book.periods.buckets) == ["p1"]
    assert settled(book.tell(tally(2, "5", "10", plan_version=2))) == {"p70": D(5)}


def test_a_period_that_waits_for_a_rate_is_not_folded() -> None:
    """Its cap is of euros, and no rate is known: it stays open, and is settled once there is one."""
    component = named(per_lot("*=5", caps=Caps(per_period=D(3))))
    book = Book(days(900), plan("own EUR", component))
    assert book.tell(tally(0, "5"), tally(800, "5")) == []
    assert list(book.periods.buckets) == ["p900", "p100"]
    assert owed(book.learn(exchange("EUR/USD 1", day=1), exchange("EUR/USD 1", day=801))) == D(-4)
    assert owed(book.tell(tally(801, "5"))) == D(-2)
    assert list(book.periods.buckets) == ["p100", "p99"]


def test_a_folded_period_that_comes_to_wait_for_a_rate_is_open_again() -> None:
    """Day 0 had 4. Version 2, by which clients who lost 5 euros are kept apart, tells of -2 there.

    There is no rate of euros yet. With one, day 0 is worth 2, and is folded again.
    """
    second = replace(plan("own EUR", replace(NET, quarantine_below=D(5))), version=2)
    book = Book(days(501), plan("own EUR", NET), second)
    assert owed(book.tell(tally(0, "4"), tally(500, "3"))) == D(7)
    assert list(book.periods.buckets) == ["p1"]
    assert book.tell(tally(0, "-2", plan_version=2)) == []
    assert list(book.periods.buckets) == ["p501", "p1"]
    assert [key for key, page in book.state.items() if key.startswith("f:") and page is not None] == []
    assert settled(book.learn(exchange("EUR/USD 1", day=1), exchange("EUR/USD 1", day=501))) == {
        "p501": D(-2)
    }
    assert list(book.periods.buckets) == ["p1"]


def full(day: int) -> Tally:
    """A tally with all measures in 8 decimals, as the client book sends it."""
    return tally(day, "12.50000000", lots="1.00000000", notional=D("110000.00000000"))


def test_twenty_years_of_days_are_small() -> None:
    """A tally a month for 20 years and one on each of the last 400 days, which are kept: under 100 kB.

    Each folded day is under 150 bytes: 1.1 MB if all 7,300 had one, read for a late tally alone.
    """
    book = Book(days(7300), plan("own USD", NET))
    for number in range(20):
        book.tell(*(full(365 * number + day) for day in (*range(0, 365, 30), 364)))
    book.tell(*(full(day) for day in range(6900, 7300)))
    assert len(book.periods.buckets) == 400
    assert len(dump("s:", book.periods)) < 100_000
    folded = [dump(key, value) for key, value in book.state.items() if key.startswith("f:")]
    assert len(folded) == 19 * 14 - 3  # the days 6,900, 6,930 and 6,934 of the nineteenth year are kept
    assert max(map(len, folded)) < 150


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
    PerLot(name="it", rates=rates("*=1"), caps=Caps(per_week=D(4))),
    Cpa(name="it", amounts=(CpaAmount(amount=D(1)),), tiers=Tiers(by="count", bands=BANDS, mode="graduated")),
    SpreadShare(
        name="it", rates=rates("*=1"), tiers=Tiers(by="lots", bands=BANDS, mode="level", lookback_periods=1)
    ),
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


SOME_RATE = exchange("EUR/USD 1", day=1)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Tally | RatePublished], list[PlanDefined]]:
    """A year of tallies under two versions of a plan, in time or late, and rates for a plan in euros."""
    currency = draw(st.sampled_from(["USD", "EUR"]))
    one, other = draw(st.sampled_from(KINDS)), draw(st.sampled_from(KINDS))
    second = replace(plan(f"own {currency}", other), version=2, since=at(180), clawback=Clawback())
    told: list[tuple[int, Tally | RatePublished]] = [
        (day + draw(st.integers(0, 40)), replace(SOME_RATE, as_of=at(day))) for day in range(0, 360, 30)
    ]
    is_late = draw(st.booleans())
    for number in range(draw(st.integers(1, 25))):
        day, late = draw(st.integers(0, 359)), draw(st.integers(0, 360 if is_late else 30))
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
    return [record for _, record in told], [plan(f"own {currency}", one), second]


def effects(rows: Sequence[Transfer]) -> set[tuple[str, str, Any, int]]:
    """What moves which way, by the id that names the period and how often it was trued up."""
    return {(row.transfer_id, row.debit, row.amount, row.plan_version) for row in rows}


@settings(deadline=None, max_examples=tries(30))
@given(histories(), st.sampled_from([1, 7, 15]), st.sampled_from([20, 60]))
def test_a_book_that_folds_gives_the_rows_of_one_that_never_does(
    history: tuple[list[Tally | RatePublished], list[PlanDefined]], length: int, kept: int
) -> None:
    """The same true-ups, however late a tally is told, though periods are folded a few weeks after their end.

    Where several tallies waited for one rate, another of them may be named as what set the true-up off.
    """
    records, plans = history
    calendar = days(-(-360 // length), length)
    never, soon = Book(calendar, *plans), Book(calendar, *plans)
    for record in records:
        with patch.object(folding, "KEPT", timedelta(days=10_000)):
            expected = effects(never.hear(record))
        with patch.object(folding, "KEPT", timedelta(days=kept)):
            assert effects(soon.hear(record)) == expected


def test_what_is_kept_covers_every_clawback_window() -> None:
    """400 days are more than twice the usual 180, whatever the calendar is made of."""
    assert Clawback().window_days * 2 < KEPT.days
