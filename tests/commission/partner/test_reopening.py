"""A period that was closed wrongly is open again, and closes as if it never had been."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from commission.books import partner as partner_book
from commission.draft import Draft
from commission.ledger import balances, ledger_hash
from commission.outputs import Statement, Transfer
from commission.partner.closing import close, reopen
from commission.partner.statement_hash import check
from commission.partner.statement_membership import Booked, by_statement
from commission.terms.admission import sort_out
from commission.terms.catalog import Terms
from schemas import topics
from schemas.wire import Record
from streams.in_memory import LocalPipeline
from tests.build import Told, at, ended, partner, period, reopened, told
from tests.commission.books.partner_rows import MONTHS, NORTH, earned, lines, settle
from tests.commission.laws import LAW

FIRST, BRIDGE, LATE, AFTER = (
    earned("12.344"),
    earned("3.333", day=4),
    earned("-1", day=5),
    earned("2.1", day=6),
)
OCTOBERS = earned("6.5", day=33)


def moved(rows: Sequence[Transfer]) -> list[str]:
    """What closings and reopenings post: `statement 12.34 pending > payable`."""
    return [
        f"{row.code} {row.amount.normalize():f} {row.debit.split(':')[-1]} > {row.credit.split(':')[-1]}"
        for row in rows
        if row.code in ("statement", "rounding", "reopening")
    ]


def test_a_period_closed_too_early_closes_again_as_if_it_never_had() -> None:
    """12.344 is closed as 12.34 and 0.004 of rounding, before a bridge brought the rest of September.

    3.333 and -1 come before the end is taken back, 2.1 after: 12.344 + 3.333 + 2.1 = 17.777 accrued,
    1 taken back, 16.777 due: 16.78 paid, -0.003 rounded. October has its own 6.5.
    """
    facts = (FIRST, ended("2026-09"), BRIDGE, LATE, OCTOBERS, reopened("2026-09"), AFTER)
    said = settle(*facts, ended("2026-09"), ended("2026-10"))
    assert lines(said) == [
        "2026-09 0 + 12.344 - 0 = 12.34 paid, 0.004 rounded, 0 carried",
        "2026-09 0 + 17.777 - 1 = 16.78 paid, -0.003 rounded, 0 carried",
        "2026-10 0 + 6.5 - 0 = 6.5 paid, 0 rounded, 0 carried",
    ]
    assert moved(said.transfers) == [
        "statement 12.34 pending > payable",
        "rounding 0.004 pending > rounding",
        "reopening 12.34 payable > pending",
        "reopening 0.004 rounding > pending",
        "statement 16.78 pending > payable",
        "rounding 0.003 rounding > pending",
        "statement 6.5 pending > payable",
    ]
    wrong, right, october = said.statements
    assert [(one.statement_id, one.reason) for one in said.withdrawn] == [
        (wrong.statement_id, "a bridge was late")
    ]
    assert (right.replaces, wrong.replaces, october.replaces) == (wrong.statement_id, "", "")
    assert (right.previous, october.previous) == ("", right.hash)
    assert len({s.statement_id for s in said.statements}) == 3
    assert len({row.transfer_id for row in said.transfers}) == len(said.transfers)
    once = settle(FIRST, BRIDGE, LATE, AFTER, OCTOBERS, ended("2026-09"), ended("2026-10"))
    assert as_figures(said) == as_figures(once)
    assert said.balances == once.balances == {**once.balances, "ib:ib-north:payable": "23.28 USD"}


def as_figures(said: Told) -> list[Statement]:
    """The statements that count, without what tells that another was in their place."""
    gone = {one.statement_id for one in said.withdrawn}
    return [
        replace(s, statement_id="", hash="", previous="", replaces="")
        for s in said.statements
        if s.statement_id not in gone
    ]


def test_a_debt_and_what_is_below_the_least_are_carried_as_before() -> None:
    """August's -7 is carried into September, whose 5 do not cover it; taken back, they do with 4 more: 2."""
    calendar = (period("2026-08"), *MONTHS, NORTH)
    facts = (earned("-7", day=-10), ended("2026-08"), earned("5"), ended("2026-09"), reopened("2026-09"))
    said = settle(*facts, earned("4", day=4), ended("2026-09"), terms=calendar)
    assert lines(said) == [
        "2026-08 0 + 0 - 7 = 0 paid, 0 rounded, -7 carried",
        "2026-09 -7 + 5 - 0 = 0 paid, 0 rounded, -2 carried",
        "2026-09 -7 + 9 - 0 = 2 paid, 0 rounded, 0 carried",
    ]
    august, wrong, right = said.statements
    assert right.previous == wrong.previous == august.hash
    assert moved(said.transfers) == ["statement 2 pending > payable"]


def test_late_rows_of_both_closings_are_added_up() -> None:
    """August is closed. 3 of it come before September's end and 4 after: taken back, September states 7."""
    calendar = (period("2026-08"), *MONTHS, NORTH)
    facts = (earned("1", day=-12), ended("2026-08"), earned("3", day=-10), ended("2026-09"))
    again = (earned("4", day=-9), reopened("2026-09"), ended("2026-09"))
    assert lines(settle(*facts, *again, terms=calendar)) == [
        "2026-08 0 + 1 - 0 = 1 paid, 0 rounded, 0 carried",
        "2026-09 0 + 3 - 0 = 3 paid, 0 rounded, 0 carried",
        "2026-09 0 + 7 - 0 = 7 paid, 0 rounded, 0 carried",
    ]


def test_a_period_is_reopened_twice() -> None:
    """5, then 6, then 7: each statement replaces the one before it, and 7 are payable in the end."""
    facts: list[Record] = []
    for day, amount in enumerate(("5", "1", "1.00"), 3):
        again = reopened("2026-09", proposal_id=f"p-{day}")
        facts += [earned(amount, day=day), ended("2026-09"), again]
    said = settle(*facts[:-1])
    first, second, third = said.statements
    assert [s.payable for s in said.statements] == [5, 6, 7]
    assert (second.replaces, third.replaces) == (first.statement_id, second.statement_id)
    assert len({s.statement_id for s in said.statements}) == 3
    assert said.owed == {"ib:ib-north:payable": "7.00 USD"}
    assert settle(*facts).owed == {"ib:ib-north:pending": "7.00 USD"}


def test_a_currency_that_comes_later_replaces_nothing() -> None:
    """Yen came after the wrong statement: theirs is the first of the period."""
    said = settle(earned("5"), ended("2026-09"), reopened("2026-09"), earned("700", "JPY"), ended("2026-09"))
    wrong, yen, dollars = said.statements
    assert (yen.replaces, dollars.replaces) == ("", wrong.statement_id)


def test_an_ib_without_a_statement_is_left_alone() -> None:
    """ib-south has its first row after the closing: it withdraws nothing, and is on the next."""
    terms = (*MONTHS, NORTH, partner("ib-south USD"))
    south = replace(earned("9"), ib_id="ib-south", credit="ib:ib-south:pending", transfer_id="south")
    said = settle(earned("5"), ended("2026-09"), south, reopened("2026-09"), ended("2026-09"), terms=terms)
    assert [(one.ib_id, one.period) for one in said.withdrawn] == [("ib-north", "2026-09")]
    assert [(s.ib_id, s.payable, bool(s.replaces)) for s in said.statements] == [
        ("ib-north", 5, False),
        ("ib-north", 5, True),
        ("ib-south", 9, False),
    ]


def test_a_statement_proves_itself_and_what_it_replaces() -> None:
    """Its rows prove it, found by their places in the book; another in the place of `replaces` does not."""
    facts = (
        FIRST,
        ended("2026-09"),
        BRIDGE,
        reopened("2026-09"),
        ended("2026-09"),
        OCTOBERS,
        ended("2026-10"),
    )
    said = settle(*facts)
    _, right, october = said.statements
    places = {FIRST.transfer_id: 1, BRIDGE.transfer_id: 3, OCTOBERS.transfer_id: 6}
    rows = [Booked(places.get(row.transfer_id, 5), row) for row in said.transfers]
    closings = {"2026-09": 5, "2026-10": 7}
    found = by_statement(rows, [(0, month) for month in MONTHS], closings)
    assert [proof for proof in check(right, found["2026-09", "USD"]) if not proof.holds] == []
    assert [proof for proof in check(october, found["2026-10", "USD"], right) if not proof.holds] == []
    for replaces in ("", "another"):
        proofs = check(replace(right, replaces=replaces), found["2026-09", "USD"])
        assert [proof.name for proof in proofs if not proof.holds] == ["hash"]


# Refused


def test_only_the_newest_end_is_taken_back_by_two_people_with_a_reason() -> None:
    """September, then October has ended; November has not."""
    terms = Terms().learn([*MONTHS, ended("2026-09"), ended("2026-10")])
    cases = (
        (reopened("2026-10"), ""),
        (reopened("2026-09"), "only the newest end can be taken back, once, and that of 2026-09 is not"),
        (reopened("2026-11"), "the period 2026-11 has not ended"),
        (reopened("2026-9"), "no period is called 2026-9,"),
        (reopened("2026-10", approved_by=" Olga"), "is taken back by two people, with a reason"),
        (reopened("2026-10", created_by=""), "is taken back by two people, with a reason"),
        (reopened("2026-10", reason=" "), "is taken back by two people, with a reason"),
    )
    for record, why in cases:
        found = [refused.why for refused in sort_out(terms, [record])]
        assert len(found) == bool(why)
        assert all(why in one for one in found)
    again = terms.learn([reopened("2026-10")])
    assert again.ended.newest == at(1)
    for name, word in (("2026-10", "has not ended"), ("2026-09", "only the newest")):
        ((_, why),) = sort_out(again, [reopened(name, proposal_id="p-2")])
        assert word in why
    next_one = reopened("2026-10", proposal_id="p-2")
    in_turn = [replace(ended("2026-10"), at=at(200)), reopened("2026-10"), next_one, next_one]
    refused = [*sort_out(again, in_turn)]
    assert [record for record, _ in refused] == [in_turn[1], in_turn[3]]
    assert refused[0].why.startswith("proposal p-1 has taken back the end of 2026-10 before")


def test_an_end_that_was_taken_back_is_not_told_again() -> None:
    """Whoever publishes everything once more closes nothing by it; an end after the reopening closes."""
    terms = Terms().learn([*MONTHS, ended("2026-09"), reopened("2026-09", at=at(40))])
    for moment, why in ((39, "was taken back at 2026-10-10 00:00:00"), (40, "was taken back"), (41, "")):
        found = [one.why for one in sort_out(terms, [replace(ended("2026-09"), at=at(moment))])]
        assert len(found) == bool(why)
        assert all(why in one for one in found)


def test_a_refused_reopening_is_a_dead_letter_and_changes_nothing() -> None:
    """The statement stays as it is."""
    pipeline = LocalPipeline()
    said = list(pipeline.feed([*MONTHS, NORTH]))
    said += pipeline.feed_batch(topics.PARTNER_BOOK, [earned("5")])
    said += pipeline.feed([ended("2026-09"), ended("2026-10"), reopened("2026-09")])
    assert [letter.code for letter in pipeline.dead_letters] == ["refused_change"]
    found = told(said)
    assert ([s.period for s in found.statements], found.withdrawn) == (["2026-09", "2026-10"], [])


@pytest.mark.parametrize("names", [("ib-north",), ("ib-a", "ib-b", "ib-c", "ib-north")])
def test_a_closing_of_an_earlier_version_cannot_be_taken_back(names: tuple[str, ...]) -> None:
    """It kept nothing of what it took up: the books say so, name three IBs, and leave their statements."""
    terms = Terms().learn([*MONTHS, *(partner(f"{name} USD") for name in names)])
    state: dict[str, object] = {}
    draft = Draft.over(state)
    for name in names:
        row = replace(earned("5"), ib_id=name, credit=f"ib:{name}:pending")
        partner_book.apply(draft, row, terms)
    close(draft, ended("2026-09"), terms)
    state |= {key: value for key, value in draft.writes.items() if key.startswith("i:")}
    draft = Draft.over(state)
    reopen(draft, reopened("2026-09"), terms)
    assert (draft.outputs, draft.writes) == ([], {})
    (refused,) = draft.refused
    shown = ", ".join(names[:3]) + (" and others" if len(names) > 3 else "")
    assert f"what the closing of 2026-09 took up is not kept of {shown}:" in refused.reason


def test_a_second_reopening_in_the_book_does_nothing() -> None:
    """Terms refuse it before; the book would not take anything back twice either."""
    terms = Terms().learn([*MONTHS, NORTH])
    draft = Draft.over({})
    partner_book.apply(draft, earned("5"), terms)
    close(draft, ended("2026-09"), terms)
    reopen(draft, reopened("2026-09"), terms)
    written, said = dict(draft.writes), list(draft.outputs)
    reopen(draft, reopened("2026-09"), terms)
    assert (draft.writes, draft.outputs) == (written, said)


# The law

ENDS = ("period_ended", "period_reopened")


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Record], list[Record]]:
    """Rows of two IBs in any order; with early ends of September that are taken back, and without."""
    rows: list[Record] = []
    for number in range(draw(st.integers(1, 12))):
        name, currency = (
            draw(st.sampled_from(("ib-north", "ib-south"))),
            draw(st.sampled_from(("USD", "JPY"))),
        )
        sign, cents = draw(st.sampled_from(("", "", "-"))), draw(st.integers(1, 99_999))
        row = earned(f"{sign}{cents / 1000}", currency, day=draw(st.sampled_from((-40, 3, 29, 33, 63, 200))))
        pending = f"ib:{name}:pending"
        side = {"debit": pending} if sign else {"credit": pending}
        rows.append(replace(row, ib_id=name, transfer_id=f"row {number}", **side))
    in_august = draw(st.integers(0, len(rows)))
    plain = [*rows[:in_august], ended("2026-08"), *rows[in_august:]]
    wrong = [*plain]
    for turn in range(draw(st.integers(1, 3))):
        first = draw(st.integers(in_august + 1, len(wrong)))
        after = draw(st.integers(first, len(wrong)))
        before = [record.type for record in wrong[:first] if record.type in ENDS]
        is_between = any(record.type in ENDS for record in wrong[first:after])
        if not is_between and len(before) % 2:  # August's end, and each of September's taken back
            wrong[after:after] = [reopened("2026-09", proposal_id=f"p-{turn}")]
            wrong[first:first] = [ended("2026-09")]
    return wrong, plain


@LAW
@given(histories())
def test_closing_reopening_and_closing_is_closing_once(history: tuple[list[Record], list[Record]]) -> None:
    """At any points of any history, and several times: the same statements, accounts and ledger."""
    terms = (period("2026-08"), *MONTHS, NORTH, partner("ib-south USD"))
    ends = (ended("2026-09"), ended("2026-10"), ended("2026-11"))
    wrong, plain = (settle(*records, *ends, terms=terms) for records in history)
    assert as_figures(wrong) == as_figures(plain)
    there = [
        {place: sum_ for place, sum_ in balances(one.transfers).items() if sum_} for one in (wrong, plain)
    ]
    assert there[0] == there[1]
    assert ledger_hash(wrong.transfers) == ledger_hash(plain.transfers)
    assert len({row.transfer_id for row in wrong.transfers}) == len(wrong.transfers)
