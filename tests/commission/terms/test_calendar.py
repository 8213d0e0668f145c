"""The calendar: periods are in the order of their time, whatever they are called, and none overlap."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from commission.terms.admission import sort_out
from commission.terms.calendar import PeriodDefined
from commission.terms.catalog import Terms
from commission.terms.partners import PartnerChanged, PlanAssignment
from commission.terms.rates import ONE
from streams.in_memory import LocalPipeline
from tests.build import ANNA as PEOPLE
from tests.build import DAY_1, SYMBOLS, at, deal, ended, partner, per_lot, period, plan, run, told
from tests.commission.books.partner_rows import NORTH, SEPTEMBER, earned, lines, settle


def spans(*named: tuple[str, int, int]) -> tuple[PeriodDefined, ...]:
    """Periods from a day to another."""
    return tuple(
        PeriodDefined(period=name, starts_at=at(first), ends_at=at(after)) for name, first, after in named
    )


WEEKS = spans(("2026-W36", 1, 7), ("2026-W39", 22, 28))
MONTHS = (period("2026-10"), period("2026-12"))
QUARTER = spans(("2027-Q1", 123, 213))


def test_weeks_then_months_then_a_quarter() -> None:
    """Each brings 10 on a statement of its own, in the order of time: W39 closes no month."""
    rows = [earned("10", day=day) for day in (2, 23, 33, 93, 130)]
    names = ["2026-W36", "2026-W39", "2026-10", "2026-12", "2027-Q1"]
    terms = (*WEEKS, *MONTHS, *QUARTER, NORTH)
    turns = [record for pair in zip(rows, map(ended, names), strict=True) for record in pair]
    for order in ([*rows, *map(ended, names)], turns):
        said = settle(*order, terms=terms)
        assert lines(said) == [f"{name} 0 + 10 - 0 = 10 paid, 0 rounded, 0 carried" for name in names]
    late = settle(earned("1"), ended("2026-10"), earned("7", day=2), ended("2026-12"), terms=terms)
    assert [(s.period, s.accrued) for s in late.statements] == [("2026-10", 1), ("2026-12", 7)]


@pytest.mark.parametrize(
    ("told", "refused"),
    [
        (spans(("2026-W40", 28, 35)), "the period 2026-W40 overlaps 2026-10"),
        (spans(("2026-W40", 28, 31)), ""),  # ends where October begins
        (spans(("2026-09-H2", 16, 31)), "the period 2026-09-H2 overlaps 2026-W39"),
        (spans(("2026-09-H1", 7, 22)), ""),
        (spans(("2026-10", 31, 62)), ""),  # the same again
        (spans(("2026-10", 27, 62)), "the period 2026-10 overlaps 2026-W39"),
        (spans(("2027-01", 123, 154), ("2027-Q1", 123, 213)), "the period 2027-Q1 overlaps 2027-01"),
    ],
)
def test_an_overlap_is_refused(told: tuple[PeriodDefined, ...], refused: str) -> None:
    """And says with what, and where the period may begin."""
    found = [why for _, why in sort_out(Terms().learn([*WEEKS, *MONTHS]), told)]
    assert [why.split(", which")[0] for why in found] == ([refused] if refused else [])


def test_a_calendar_moves_as_a_whole() -> None:
    """Every month two hours earlier: each overlaps what the next one was, and none of the new."""
    moved = [
        replace(
            month, starts_at=month.starts_at - timedelta(hours=2), ends_at=month.ends_at - timedelta(hours=2)
        )
        for month in MONTHS
    ]
    assert [*sort_out(Terms().learn(MONTHS), moved)] == []


def test_an_overlap_is_a_dead_letter() -> None:
    """The other days go on as they were."""
    rows = (deal("1 buy 1 EURUSD out", day=3), *spans(("2026-09-H2", 16, 31)), ended("2026-09"))
    terms = (*SYMBOLS, SEPTEMBER, plan("own USD", per_lot("*=5")), partner("ib-north USD own"))
    said = run(*PEOPLE, *rows, terms=terms)
    assert ["refused_change"] == [letter.code for letter in said.dead_letters]
    assert [(s.period, s.payable) for s in said.statements] == [("2026-09", 5)]


def test_an_end_that_is_unknown_or_too_soon_closes_nothing() -> None:
    """September ends with day 31: a slip closes nothing; a reason, or the day itself, closes its lot of 5."""
    soon = at(31) - timedelta(microseconds=1)
    cases = (
        (replace(ended("2026-9"), at=at(31)), "no period is called 2026-9,", []),
        (replace(ended("2026-09"), at=soon), "the period 2026-09 lasts until", []),
        (replace(ended("2026-09"), at=soon, early=" "), "the period 2026-09 lasts until", []),
        (replace(ended("2026-09"), at=soon, early="the broker closes"), "", [5]),
        (replace(ended("2026-09"), at=at(31)), "", [5]),
    )
    terms = (*SYMBOLS, SEPTEMBER, plan("own USD", per_lot("*=5")), partner("ib-north USD own"))
    for end, refused, paid in cases:
        said = run(*PEOPLE, deal("1 buy 1 EURUSD out", day=3), end, terms=terms)
        assert [letter.code for letter in said.dead_letters] == (["refused_change"] if refused else [])
        assert all(refused in letter.reason for letter in said.dead_letters)
        assert [s.payable for s in said.statements] == paid


def test_an_end_out_of_turn_closes_nothing() -> None:
    """A lot of 5 in each of September, October and November; who ends November after September skips October.

    October may be ended once more, which changes nothing; September is over for good.
    """
    calendar = (SEPTEMBER, period("2026-10"), period("2026-11"))
    terms = (*SYMBOLS, *calendar, plan("own USD", per_lot("*=5")), partner("ib-north USD own"))
    deals = [deal(f"{day} buy 1 EURUSD out", day=day) for day in (3, 33, 64)]
    ends = [
        (calendar[0], "", ["2026-09"]),
        (calendar[2], "2026-11 is out of turn, 2026-10 has not ended", []),
        (calendar[1], "", ["2026-10"]),
        (calendar[1], "", []),
        (calendar[0], "2026-09 is before the last one that has ended", []),
        (calendar[2], "", ["2026-11"]),
    ]
    pipeline = LocalPipeline()
    assert told([*pipeline.feed([*terms, *PEOPLE, *deals])]).statements == []
    for span, why, closed in ends:
        before = len(pipeline.dead_letters)
        said = told([*pipeline.feed([replace(ended(span.period), at=span.ends_at)])])
        assert [(s.period, s.payable) for s in said.statements] == [(name, 5) for name in closed]
        letters = pipeline.dead_letters[before:]
        assert [letter.code for letter in letters] == (["refused_change"] if why else [])
        assert all(why in letter.reason for letter in letters)


def test_ends_of_one_message_are_looked_at_in_their_order() -> None:
    """After September's: November's is refused, October's is not, and then November's is in turn."""
    names = ("2026-09", "2026-10", "2026-11")
    terms = Terms().learn([period(name) for name in names]).learn([ended("2026-09")])
    ends = [replace(ended(name), at=at(200)) for name in ("2026-11", "2026-10", "2026-11")]
    assert [record for record, _ in sort_out(terms, ends)] == ends[:1]
    assert terms.learn([ended("2026-12"), ended("2026-11"), ended("2026-10")]).ended.newest == at(62)


def test_a_period_that_has_not_begun_does_not_end() -> None:
    """A year too far, with a reason and all: the first end that a broker makes."""
    terms = Terms().learn([SEPTEMBER, period("2027-09")])
    typo = replace(ended("2027-09"), at=at(31), early="the month is over")
    ((_, why),) = sort_out(terms, [typo])
    assert "has not begun at 2026-10-01 00:00 UTC" in why


# What stood at the last instant counts


def test_a_plan_that_begins_at_the_end_has_no_say() -> None:
    """Plan a pays from 100 on, b anything: 50 of September are paid with b since a microsecond earlier."""
    a, b = replace(plan("a USD", per_lot("*=10")), min_payout=100 * ONE), plan("b USD", per_lot("*=10"))
    for since, paid in ((at(31), 0), (at(31) - timedelta(microseconds=1), 50), (at(32), 0)):
        schedule = (PlanAssignment(plan_id="a"), PlanAssignment(plan_id="b", since=since))
        north = replace(partner("ib-north USD a"), schedule=schedule)
        said = run(
            *PEOPLE, deal("1 buy 5 EURUSD out"), ended("2026-09"), terms=(*SYMBOLS, SEPTEMBER, a, b, north)
        )
        assert [s.payable for s in said.statements] == [paid]


@pytest.mark.parametrize("gate", ["ib_kyc_gate", "agreement_gate"])
def test_a_gate_counts_as_of_the_last_instant(gate: str) -> None:
    """An approval of October, told before September is closed, counts for October alone."""
    gated = plan("own USD", per_lot("*=10"))
    gated = replace(gated, ib_kyc_gate=gate == "ib_kyc_gate", agreement_gate=gate == "agreement_gate")
    north = replace(partner("ib-north USD own"), kyc_approved=False, agreement_accepted=False)
    terms = (*SYMBOLS, SEPTEMBER, period("2026-10"), gated, north)
    for moment, paid in ((at(31), [0, 50]), (at(31) - timedelta(microseconds=1), [50, 0])):
        change = PartnerChanged(
            event_id="k", ib_id="ib-north", occurred_at=moment, kyc_approved=True, agreement_accepted=True
        )
        said = run(
            *PEOPLE, deal("1 buy 5 EURUSD out"), change, ended("2026-09"), ended("2026-10"), terms=terms
        )
        assert [s.payable for s in said.statements] == paid


def test_who_is_known_only_by_a_later_approval_has_passed_no_gate() -> None:
    """An IB nobody has published, approved in October: of September it had neither KYC nor agreement."""
    approved = PartnerChanged(
        event_id="a",
        ib_id="ib-x",
        occurred_at=at(40),
        application="approved",
        currency="USD",
        kyc_approved=True,
    )
    terms = Terms().learn([approved])
    assert terms.gates_of("ib-x", DAY_1) == (False, False)
    assert terms.gates_of("ib-x", at(40)) == (True, False)
