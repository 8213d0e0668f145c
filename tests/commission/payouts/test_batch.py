"""The log of payouts by itself: which records count, what stands by them, and what the books are commanded.

A batch of September: north 12.34, south 9.00, and west, left out from the beginning.
"""

from datetime import date

import pytest
from msgspec.structs import replace

from commission.payouts.batch import Refusal, created, is_known
from commission.payouts.batch_commands import commands as commands_of
from commission.payouts.changes import command
from commission.payouts.commands import LockLine
from commission.payouts.exchange import Exchange
from commission.payouts.records import (
    BatchApproved,
    BatchCancelled,
    BatchCreated,
    BatchExported,
    BatchSubmitted,
    ChangeDecided,
    ChangeRequested,
    Line,
    LineReason,
    LineResult,
    LinesExcluded,
    LinesRefused,
    PayoutsHeld,
    StatementsWithheld,
    Warned,
)
from tests.build import D, at
from tests.commission.payouts.written_log import LINES, Log, exported, line


def test_a_batch_goes_its_way() -> None:
    """Total of what is paid: 12.34 + 9; after the results nothing is open."""
    log = exported()
    batch = log.batch
    assert (batch.total, [one.ib_id for one in batch.paid_lines]) == (D("21.34"), ["north", "south"])
    assert [one.ib_id for one in batch.open_lines] == ["north", "south"]
    assert log.known.taken == {"st-north": "b1", "st-south": "b1"}
    assert log.known.batch_of == {"north": "b1", "south": "b1", "west": "b1"}
    assert log.commands == ["lock_line north", "lock_line south"]
    assert log.result("north settled", "south rejected") == ""
    assert log.commands == ["lock_line north", "settle_line north", "lock_line south", "return_line south"]
    assert (log.batch.open_lines, log.known.taken) == ([], {"st-north": "b1"})
    assert log.result("north rejected") == ""
    assert log.commands[:3] == ["lock_line north", "settle_line north", "return_line north"]
    assert log.known.taken == {}
    some = commands_of(log.batch, ["south"])
    assert [one.line_id for one in some] == ["south", "south"]


def test_a_record_counts_only_where_it_was_expected() -> None:
    """Of two who write at once, the second is one place further on."""
    log = Log()
    record = BatchCreated(
        place=3,
        by="ann",
        at=at(40),
        batch_id="b1",
        period="2026-09",
        currency="USD",
        minimum=D(0),
        lines=LINES,
    )
    assert not log.known.add(record, 4)
    assert log.known.add(record, 3)


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ((line("north", "1"), line("north", "1", "other")), "a line or a statement is in it twice"),
        ((line("north", "1", "st"), line("south", "1", "st")), "a line or a statement is in it twice"),
        ((line("north", "1", excluded="why"),), "it has no line that is paid"),
        ((), "it has no line that is paid"),
    ],
)
def test_a_batch_that_pays_nothing_or_twice_is_none(lines: tuple[Line, ...], why: str) -> None:
    """Whatever wrote it."""
    assert Log().create(lines) == why


def test_each_step_has_its_time() -> None:
    """What comes too early, too late, twice or without a reason does not count."""
    log = Log()
    assert log.says(BatchSubmitted) == "no batch b1"
    log.create()
    assert log.create(by="ben") == "b1 was created by ann before ben did"
    assert log.create([line("x", "1", "st-north")], batch_id="b2") == "x is in batch b1"
    assert log.create([line("x", "1", "st-north", excluded="why"), line("y", "1")], batch_id="b2") == ""
    assert log.says(BatchApproved, by="ben") == "b1 is created: what is submitted is approved, once"
    assert log.says(BatchExported, format="csv", sha256="x") == "b1 is created: what is approved is exported"
    assert "the books refuse lines once it is approved" in log.says(LinesRefused, lines=())
    assert log.result("north settled") == "north: b1 is created: nothing of it was given out"
    for name, reason in (("x", "why"), ("west", "why"), ("south", " ")):
        why = log.says(LinesExcluded, lines=(LineReason(line_id=name, reason=reason),))
        assert why == f"{name} is no line that can be left out, or there is no reason"
    assert log.says(LinesExcluded, by="cat", lines=(LineReason(line_id="south", reason="disputed"),)) == ""
    assert log.known.taken == {"st-north": "b1", "st-y": "b2"}
    log.says(BatchSubmitted)
    assert log.says(BatchSubmitted) == "b1 is submitted: it is submitted once"
    assert "its lines change no more" in log.says(LinesExcluded, lines=())
    for who in ("Ann ", "cat", ""):
        assert "had a hand in it; another person approves it" in log.says(BatchApproved, by=who)
    log.says(BatchApproved, by="ben")
    assert log.says(LinesRefused, by="the books", lines=(LineReason(line_id="north", reason="held"),)) == ""
    assert log.commands == ["lock_line north"]
    assert "the books refused every line" in log.says(BatchExported, format="csv", sha256="x")
    assert log.says(BatchCancelled, reason=" ") == "say why it is cancelled"
    assert log.says(BatchCancelled, reason="held") == ""
    assert log.says(BatchCancelled, reason="held") == "b1 is cancelled: once is enough"
    assert log.commands == ["lock_line north"]


def test_a_batch_whose_lines_are_all_excluded_is_not_submitted() -> None:
    """It is cancelled; what it never commanded is not given back."""
    log = Log()
    log.create([LINES[0]])
    log.says(LinesExcluded, lines=(LineReason(line_id="north", reason="disputed"),))
    assert log.says(BatchSubmitted) == "every line is excluded: there is nothing to approve; cancel it"
    log.says(BatchCancelled, reason="empty")
    assert log.commands == []


def test_a_cancelled_batch_gives_back_what_it_had_locked() -> None:
    """After its approval; its statements are free for another."""
    log = Log()
    log.create()
    log.says(BatchSubmitted)
    log.says(BatchApproved, by="ben")
    log.says(BatchCancelled, reason="wrong month")
    assert log.commands == ["lock_line north", "unlock_line north", "lock_line south", "unlock_line south"]
    assert log.known.taken == {}
    assert log.create(batch_id="b2", lines=[line("n2", "12.34", "st-north")]) == ""


def test_a_file_is_given_out_again_with_a_reason_and_the_same_bytes() -> None:
    """Another format has a digest of its own."""
    log = exported()
    assert "say why once more" in log.says(BatchExported, format="csv", sha256="x")
    assert "was another when it was given out first" in log.says(
        BatchExported, format="csv", sha256="y", reason="lost"
    )
    assert log.says(BatchExported, format="csv", sha256="x", reason="lost") == ""
    assert log.says(BatchExported, format="pain", sha256="z", reason="the bank wants it") == ""
    assert log.batch.exports == {"csv": "x", "pain": "z"}
    assert "its file may be paid by" in log.says(BatchCancelled, reason="why")


def test_results_follow_each_other_or_are_refused() -> None:
    """A line that is not known yet may be anything; one that came back stays back."""
    log = exported()
    assert log.result() == "a record has one result of a line, and some"
    assert log.result("north settled", "north rejected") == "a record has one result of a line, and some"
    assert log.result("x settled") == "x: no line has this id"
    assert log.result("west settled") == "west: the line is excluded, and cannot become settled"
    assert [log.result("north unknown"), log.result("north settled")] == ["", ""]
    assert log.commands[:2] == ["lock_line north", "settle_line north"]
    assert log.result("north unknown") == "north: the line is settled, and cannot become unknown"
    assert log.result("south rejected") == ""
    known, new = (LineResult(line_id="south", outcome=one) for one in ("rejected", "settled"))
    assert [is_known(log.batch, one) for one in (known, new)] == [True, False]
    assert log.result("south settled") == (
        "south: the line is rejected, and cannot become settled; if it was paid, it may be paid twice"
    )


def test_a_statement_is_in_a_batch_or_withheld() -> None:
    """A proposal has what no batch has."""
    log = Log()
    log.create()
    told = {"proposal_id": "p-1", "period": "2026-09"}
    assert log.says(StatementsWithheld, **told, statement_ids=("st-x", "st-north")) == (
        "statements of 2026-09 are in b1"
    )
    assert log.says(StatementsWithheld, **told, statement_ids=("st-x",)) == ""
    assert log.known.withheld == {"st-x": "p-1"}


def test_a_change_is_asked_and_decided_by_two() -> None:
    """A hold needs nobody else; a change commands nothing before another person approves it."""
    log = Log()
    told = {"ib_id": "north", "reason": "agreed"}
    money = told | {"kind": "advance", "currency": "USD", "amount": D(5)}
    assert log.says(ChangeRequested, **(money | {"reason": " "}), change_id="c1") == "say why"
    assert log.says(ChangeRequested, **money, change_id="c1") == ""
    assert log.says(ChangeRequested, **money, change_id="c1") == "c1 is known"
    assert command(log.known.changes["c1"]) is None
    assert log.says(ChangeDecided, change_id="c2", is_approved=True) == "no change c2"
    assert "ann asked for c1; another person approves it" in log.says(
        ChangeDecided, change_id="c1", is_approved=True
    )
    assert log.says(ChangeDecided, by="ben", change_id="c1", is_approved=True) == ""
    assert log.says(ChangeDecided, by="cat", change_id="c1", is_approved=False) == (
        "c1 is approved: it is decided once"
    )
    assert log.says(ChangeRequested, **money, change_id="c3") == ""
    assert log.says(ChangeDecided, change_id="c3", is_approved=False, reason="a typo") == ""
    assert log.says(PayoutsHeld, **told, change_id="h1") == ""
    assert log.says(PayoutsHeld, **told, change_id="r1", is_released=True) == ""
    found = [command(change) for change in log.known.changes.values()]
    assert [None if one is None else one.type for one in found] == [
        "change_balance", None, "hold_payouts", "release_payouts",
    ]  # fmt: skip


def test_what_it_makes_of_a_bad_batch_is_a_refusal() -> None:
    """A value, as everything else."""
    record = BatchCreated(
        place=0, by="ann", at=at(40), batch_id="b1", period="p", currency="USD", minimum=D(0), lines=()
    )
    assert created(record) == Refusal("it has no line that is paid")


def test_an_approval_says_where_lines_go_and_what_was_looked_at() -> None:
    """Its versions stand, what two people ticked is kept, and every file of a batch is for one day."""
    first, second = (Warned(code=code, ib_id="north", words="x") for code in ("first_payout", "kyc"))
    log = Log()
    told = {"payees": {"north": 3}, "ticked": (second,)}
    assert [log.create(), log.says(BatchSubmitted, ticked=(first,))] == ["", ""]
    assert log.says(BatchApproved, by="ben", **told) == ""
    assert (log.batch.payees, log.batch.ticked) == ({"north": 3}, (first, second))
    day, other = date(2026, 10, 5), date(2026, 10, 6)
    assert log.says(BatchExported, format="csv", sha256="x", execution_date=day) == ""
    again = {"format": "xlsx", "sha256": "y", "reason": "for people"}
    assert (
        log.says(BatchExported, **again, execution_date=other) == "its files are for 2026-10-05: export again"
    )
    assert log.says(BatchExported, **again, execution_date=day) == ""
    assert log.batch.execution_date == day


def test_a_batch_pays_another_currency_by_one_rate() -> None:
    """At 0.8: 12.34 USD are 9.872, 9.87 EUR; 9 are 7.20. Its lock says so; its own currency needs no rate."""
    log, rate = Log(), Exchange(currency="EUR", times=D("0.8"), over=D(1), path="USD/EUR 0.8", at=at(39))
    assert log.create(exchange=replace(rate, currency="USD")) == "USD is paid as it is, without a rate"
    assert log.create(exchange=replace(rate, times=D("0.0001"))) == "the line of north comes to nothing"
    assert log.create(exchange=rate) == ""
    batch = log.batch
    assert [batch.paid(one) for one in batch.paid_lines] == [D("9.87"), D("7.20")]
    assert (batch.pays, batch.currency, batch.total) == ("EUR", "USD", D("21.34"))
    assert batch.paid_total == D("17.07")
    assert [log.says(BatchSubmitted), log.says(BatchApproved, by="ben")] == ["", ""]
    locks = [one for one in commands_of(log.batch) if isinstance(one, LockLine)]
    assert {(one.amount, one.currency, one.exchange) for one in locks} == {
        (D("12.34"), "USD", rate), (D("9"), "USD", rate),
    }  # fmt: skip
