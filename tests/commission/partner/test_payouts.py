"""What an IB's book makes of commands: money leaves payable once, is paid once, or comes back.

September of ib-north closes with 12.34 USD, October with 6.50 USD and 700 JPY.
"""

import pytest
from msgspec.structs import replace

from commission.explain.explanation import explain
from commission.outputs import Statement
from commission.payouts.commands import AnyCommand
from schemas.wire import Record, encode
from schemas.wire import decode as read
from tests.build import D, Told, at, ended, partner, period, reopened
from tests.commission.books.partner_rows import MONTHS, NORTH, earned, settle
from tests.commission.partner.payout_commands import bounced, change, hold, lock, paid, release, unlock

FACTS: tuple[Record, ...] = (
    earned("12.34"), ended("2026-09"), earned("6.5", day=33), earned("700", "JPY", day=34), ended("2026-10"),
)  # fmt: skip


def statement(period_name: str, currency: str = "USD", *facts: Record) -> Statement:
    """One of the statements that the facts close."""
    found = settle(*(facts or FACTS)).statements
    return next(one for one in found if (one.period, one.currency) == (period_name, currency))


SEPTEMBER, OCTOBER = statement("2026-09").statement_id, statement("2026-10").statement_id
YEN = statement("2026-10", "JPY").statement_id
BOTH = lock("l1 18.84 USD", SEPTEMBER, OCTOBER)


def answered(*commands: AnyCommand, facts: tuple[Record, ...] = FACTS) -> tuple[Told, list[str]]:
    """What comes of commands after the facts; answers as `lock_line: why`, or `lock_line` if done."""
    said = settle(*facts, *commands)
    assert said.dead_letters == []
    return said, [f"{one.command}: {one.reason}" if one.reason else one.command for one in said.answers]


def usd(said: Told) -> dict[str, str]:
    """Where ib-north's dollars are: `{"payable": "12.34"}`."""
    owed = {name.removeprefix("ib:ib-north:"): text for name, text in said.owed.items()}
    return {name: text.removesuffix(" USD") for name, text in owed.items() if text.endswith("USD")}


def test_a_line_is_locked_and_paid() -> None:
    """12.34 + 6.50 = 18.84 leave payable for the payout, and are paid; the yen stay."""
    said, answers = answered(BOTH)
    assert (answers, usd(said)) == (["lock_line"], {"in_payout": "18.84"})
    assert said.owed["ib:ib-north:payable"] == "700 JPY"
    said, answers = answered(BOTH, paid("l1"))
    assert (answers, usd(said)) == (["lock_line", "settle_line"], {"paid": "18.84"})


def test_a_line_that_bounces_is_payable_again_and_paid_by_another() -> None:
    """Before it was reported as paid, and after."""
    for way in ((bounced("l1"),), (paid("l1"), bounced("l1"))):
        said, _ = answered(BOTH, *way)
        assert usd(said) == {"payable": "18.84"}
        said, _ = answered(BOTH, *way, lock("l2 12.34 USD", SEPTEMBER), paid("l2"))
        assert usd(said) == {"paid": "12.34", "payable": "6.50"}


def test_a_repeated_command_does_nothing_more() -> None:
    """Each is written three times, a refused one too: one answer each, and 18.84 are paid once."""
    over = lock("l9 12.34 USD", SEPTEMBER)
    commands = (BOTH, BOTH, over, BOTH, over, paid("l1"), paid("l1"), BOTH, over, paid("l1"))
    said, answers = answered(*commands)
    assert [one.partition(":")[0] for one in answers] == ["lock_line", "lock_line", "settle_line"]
    assert usd(said) == {"paid": "18.84"}
    back = answered(BOTH, bounced("l1"), bounced("l1"), unlock("l7"), unlock("l7"), hold(), hold())
    assert (back[1], usd(back[0])) == (
        ["lock_line", "return_line", "unlock_line", "hold_payouts"],
        {"payable": "18.84"},
    )


@pytest.mark.parametrize(
    ("before", "command", "why"),
    [
        ((), lock("l1 12.35 USD", SEPTEMBER), "12.35 USD is not the 12.34 that is payable"),
        ((), lock("l1 12.3 USD", SEPTEMBER), "12.3 USD is not the 12.34 that is payable"),
        ((), lock("l1 1E+20 USD", SEPTEMBER), "more USD is not the 12.34 that is payable"),
        ((), lock("l1 12.34 EUR", SEPTEMBER), "what is payable is not in EUR"),
        ((), lock("l1 712.34 USD", SEPTEMBER, YEN), "what is payable is not in USD"),
        ((), lock("l1 24.68 USD", SEPTEMBER, SEPTEMBER), "a line names each statement that it pays, once"),
        ((), lock("l1 0 USD"), "a line names each statement that it pays, once"),
        ((), lock("l1 5 USD", "st-x"), "st-x is not payable: in another line, paid, withdrawn or unknown"),
        ((), lock("l1 12.34 USD", SEPTEMBER, ib_id="ib-south"), "is not payable"),
        ((), lock("l1 12.34 USD", SEPTEMBER, approved_by=" ANN"), "created by one person and approved by an"),
        ((), lock("l1 12.34 USD", SEPTEMBER, created_by=""), "created by one person and approved by another"),
        ((BOTH,), lock("l2 12.34 USD", SEPTEMBER), "is not payable: in another line, paid"),
        ((BOTH, paid("l1")), lock("l2 6.5 USD", OCTOBER), "is not payable: in another line, paid"),
        ((BOTH,), lock("l1 12.34 USD", SEPTEMBER), "the line was commanded before, with other content"),
        ((unlock("l1"),), BOTH, "the line was cancelled before it was locked"),
        ((BOTH, unlock("l1")), lock("l1 12.34 USD", SEPTEMBER), "commanded before, with other content"),
        ((hold(),), BOTH, "ann holds payouts to ib-north: fraud?"),
        ((hold(statement_id=OCTOBER),), BOTH, f"ann holds the statement {OCTOBER}: fraud?"),
        ((), paid("l1"), "the line is not out: it was never locked"),
        ((), bounced("l1"), "the line is not out: it was never locked"),
        ((BOTH, bounced("l1")), paid("l1"), "the line is not out: it was returned or cancelled"),
        ((BOTH, paid("l1")), paid("l1", at=at(50)), "the line is not out: it is paid"),
        ((BOTH, paid("l1")), unlock("l1"), "the line is not out: it is paid"),
        ((hold(), BOTH), paid("l1"), "the line is not out: it was refused when it was to be locked"),
        ((), hold(statement_id="st-x"), "st-x is not payable: there is nothing to hold"),
        ((hold(),), hold("h2", by="ben"), "ann holds it already: fraud?"),
        ((hold(),), hold(by="ben"), "it was commanded before, with other content"),
        ((), hold(reason=" "), "it needs a reason"),
        ((), hold(ib_id="ib-x"), "no IB is called ib-x"),
        ((), release(), "nothing is held"),
        ((hold(),), release(by="Ann"), "ann held it; another person releases it"),
        ((), change("adjustment 5 USD", approved_by="ann"), "created by one person and approved by another"),
        ((), change("adjustment 0 USD"), "an amount of 0 moves nothing"),
        ((), change("advance -5 USD"), "the amount is above zero"),
        ((), change("adjustment 5.001 USD"), "5.001 has more digits than USD is paid with"),
        ((), change("adjustment 0.5 JPY"), "0.5 has more digits than JPY is paid with"),
        ((), change("adjustment 1E+18 JPY"), "the amount is beyond all that is paid"),
        ((), change("write_off 5 USD"), "the balance of ib-north is not below zero: no more is written off"),
        ((), change("write_off 5 EUR"), "the balance of ib-north is not below zero: no more is written off"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_and_moves_nothing(
    before: tuple[AnyCommand, ...], command: AnyCommand, why: str
) -> None:
    """With a reason; every account is as it was before."""
    as_before, _ = answered(*before)
    said, answers = answered(*before, command)
    assert why in answers[-1]
    assert answers[-1].startswith(command.type)
    assert said.balances == as_before.balances
    assert said.answers[-1].is_accepted is False


def test_a_cancelled_line_gives_back_what_it_took_and_never_locks_again() -> None:
    """Cancelled after the lock, before it, and after a refusal: 18.84 are payable each time."""
    for commands in ((BOTH, unlock("l1")), (unlock("l1"), BOTH), (hold(), BOTH, unlock("l1"), unlock("l1"))):
        said, answers = answered(*commands)
        assert usd(said) == {"payable": "18.84"}
        assert "unlock_line" in answers
    said, _ = answered(BOTH, unlock("l1"), lock("l2 18.84 USD", SEPTEMBER, OCTOBER))
    assert usd(said) == {"in_payout": "18.84"}


@pytest.mark.parametrize(
    "again",
    [
        "ann\u200b lee",  # a space of no width
        "Ann  Lee",
        "ann\u00a0lee\n",
        "\uff41\uff4e\uff4e \uff4c\uff45\uff45",  # letters of full width
        "\u00ad ANN LEE",  # a hyphen that is not shown
    ],
)
def test_one_person_is_not_two_by_another_spelling(again: str) -> None:
    """Who created a batch approves it under a name that looks the same: nothing is locked."""
    said, answers = answered(replace(BOTH, created_by="ann lee", approved_by=again))
    assert answers == ["lock_line: a batch is created by one person and approved by another"]
    assert usd(said) == {"payable": "18.84"}
    said, answers = answered(replace(BOTH, created_by="ann lee", approved_by="anna lee"))
    assert (answers, usd(said)) == (["lock_line"], {"in_payout": "18.84"})


def test_a_held_statement_stays_held_when_another_takes_its_place() -> None:
    """September's 12.34 are held; reopened for 1.00 that came late it states 13.34, which are held as well.

    Closed a third time, too: whoever held it has not let go. Ben releases the statement that is there.
    """
    more = (earned("1", day=4), reopened("2026-09"), ended("2026-09"))
    third = (*more, earned("2", day=5), reopened("2026-09", proposal_id="p-2"), ended("2026-09"))
    for facts, amount in ((more, "13.34"), (third, "15.34")):
        before = (earned("12.34"), ended("2026-09"), hold(statement_id=SEPTEMBER), *facts)
        name = settle(*before).statements[-1].statement_id
        later = lock(f"l2 {amount} USD", name)
        said, answers = answered(
            lock(f"l1 {amount} USD", name), release(statement_id=name), later, facts=before
        )
        assert answers[-3:] == [
            f"lock_line: ann holds the statement {name}: fraud?", "release_payouts", "lock_line",
        ]  # fmt: skip
        assert usd(said) == {"in_payout": amount}


def test_a_hold_blocks_until_another_person_releases_it() -> None:
    """Of the IB, and of one statement: the other is paid meanwhile."""
    later = lock("l2 18.84 USD", SEPTEMBER, OCTOBER)
    said, answers = answered(hold(), BOTH, release(), later)
    assert answers == [
        "hold_payouts", "lock_line: ann holds payouts to ib-north: fraud?", "release_payouts", "lock_line",
    ]  # fmt: skip
    assert usd(said) == {"in_payout": "18.84"}
    said, _ = answered(
        hold(statement_id=OCTOBER), lock("l1 12.34 USD", SEPTEMBER), lock("l2 6.5 USD", OCTOBER)
    )
    assert usd(said) == {"in_payout": "12.34", "payable": "6.50"}


def test_a_period_in_a_payout_is_not_opened_again() -> None:
    """Its statement stays, with a dead letter; once the line came back, it is withdrawn, and not payable."""
    late = earned("1", day=35)
    taken = lock("l1 6.5 USD", OCTOBER)
    for way in ((taken,), (taken, paid("l1"))):
        said = settle(*FACTS, *way, late, reopened("2026-10"))
        (letter,) = said.dead_letters
        assert "2026-10 is in a payout or paid to ib-north: their statements stay" in letter.reason
        assert said.withdrawn == []
    said = settle(*FACTS, taken, bounced("l1"), late, reopened("2026-10"), lock("l2 6.5 USD", OCTOBER))
    assert len(said.withdrawn) == 2
    assert "is not payable" in said.answers[-1].reason
    assert usd(said) == {"payable": "12.34", "pending": "7.50"}
    again = settle(*FACTS, taken, bounced("l1"), late, reopened("2026-10"), ended("2026-10"))
    assert usd(again) == {"payable": "19.84"}
    right = next(one for one in again.statements if one.replaces == OCTOBER)
    paid_out = settle(
        *FACTS, taken, bounced("l1"), late, reopened("2026-10"), ended("2026-10"),
        lock("l2 7.5 USD", right.statement_id), paid("l2"),
    )  # fmt: skip
    assert usd(paid_out) == {"payable": "12.34", "paid": "7.50"}


def test_a_debt_blocks_payouts_until_it_is_worked_off_or_written_off() -> None:
    """September pays 12.34; October is 20 below zero, so nothing of September is paid now.

    November earns 25: 25 - 20 = 5 are payable, and September's with them. Written off instead: 15 of the 20
    by two people, and 5 by an adjustment, so November closes at 0 and September may be paid.
    """
    debt: tuple[Record, ...] = (earned("12.34"), ended("2026-09"), earned("-20", day=33), ended("2026-10"))
    one = lock("l1 12.34 USD", SEPTEMBER)
    said, answers = answered(one, facts=debt)
    assert answers == ["lock_line: ib-north owes 20 USD from closed statements, which is worked off first"]
    worked = (*debt, earned("25", day=63), ended("2026-11"))
    assert usd(answered(one, facts=worked)[0]) == {"in_payout": "12.34", "payable": "5.00"}
    forgiven = (change("write_off 15 USD", at=at(63)), change("adjustment 5 USD", at=at(63)))
    said = settle(*debt, *forgiven, change("write_off 1 USD", change_id="c2"), ended("2026-11"), one)
    assert [a.reason for a in said.answers] == [
        "", "", "the balance of ib-north is not below zero: no more is written off", "",
    ]  # fmt: skip
    assert usd(said) == {"in_payout": "12.34"}
    assert said.balances["broker:expense:write_off"] == "-15.00 USD"
    too_much = settle(*debt, change("write_off 20.01 USD"))
    assert too_much.answers[0].reason == (
        "the balance of ib-north is 20 USD below zero: no more is written off"
    )


def test_a_debt_is_written_off_to_the_next_cent() -> None:
    """Of 20.0015, of which people see cents, 20.01 may be written off, which leaves 0.0085; 20.02 may not."""
    debt = (earned("-20.0015"), ended("2026-09"))
    gone = settle(*debt, change("write_off 20.01 USD"))
    assert gone.answers[0].is_accepted
    assert gone.balances["ib:ib-north:pending"] == "0.0085 USD"
    refused = settle(*debt, change("write_off 20.02 USD"))
    assert refused.answers[0].reason == (
        "the balance of ib-north is 20.0015 USD below zero: no more is written off"
    )


def test_an_adjustment_is_on_the_open_statement() -> None:
    """October is closed when 3 are given and 1 is taken: both are of November, which states 3 - 1 = 2."""
    more = (change("adjustment 3 USD"), change("adjustment -1 USD", change_id="c2", attachment="ab" * 32))
    said = settle(*FACTS, *more, ended("2026-11"))
    november = next(s for s in said.statements if (s.period, s.currency) == ("2026-11", "USD"))
    assert (november.accrued, november.reversed, november.payable) == (3, 1, 2)
    given, taken = (row for row in said.transfers if row.code == "adjustment")
    assert (given.debit, given.credit) == ("broker:expense:adjustment", "ib:ib-north:pending")
    assert (taken.debit, taken.credit) == ("ib:ib-north:pending", "broker:expense:adjustment")


def test_an_advance_is_paid_now_and_recovered_by_the_next_statements() -> None:
    """50 in advance in October: it closes at 6.50 - 50 = -43.50, and the advance may be paid all the same.

    November earns 60: 60 - 43.50 = 16.50 are payable.
    """
    facts = (*FACTS[:4], change("advance 50 USD", at=at(35)), ended("2026-10"))
    line = lock("l1 50 USD", "c-advance")
    said = settle(*facts, line, paid("l1"))
    assert said.answers[-1].is_accepted
    assert usd(said) == {"paid": "50.00", "payable": "12.34", "pending": "-43.50"}
    said = settle(*facts, line, paid("l1"), earned("60", day=63), ended("2026-11"))
    assert usd(said) == {"paid": "50.00", "payable": "28.84"}


def test_accounts_of_several_ibs_are_apart() -> None:
    """A line takes from the IB that it names, and from no other."""
    terms = (*MONTHS, period("2026-08"), NORTH, partner("ib-south USD"))
    south = earned("9", ib_id="ib-south", credit="ib:ib-south:pending", transfer_id="south")
    facts = (earned("5"), south, ended("2026-09"))
    ids = {one.ib_id: one.statement_id for one in settle(*facts, terms=terms).statements}
    line = lock("l1 9 USD", ids["ib-south"], ib_id="ib-south")
    said = settle(*facts, line, terms=terms)
    assert said.owed == {"ib:ib-north:payable": "5.00 USD", "ib:ib-south:in_payout": "9.00 USD"}
    other = lock("l1 5 USD", ids["ib-north"])
    said = settle(*facts, line, other, terms=terms)
    assert said.owed == {"ib:ib-north:in_payout": "5.00 USD", "ib:ib-south:in_payout": "9.00 USD"}
    assert len({row.transfer_id for row in said.transfers}) == len(said.transfers)


def test_commands_travel_as_lines_and_keep_their_ids() -> None:
    """Written and read again a command is the same one."""
    for one in (BOTH, unlock("l1"), paid("l1"), bounced("l1"), change("advance 5.00 USD"), hold(), release()):
        again = read(encode([one])[0])
        assert (again, again.command_id) == (one, one.command_id)  # type: ignore[union-attr]


def test_rows_of_payouts_are_explained() -> None:
    """Which line of which batch, who asked and who approved."""
    more = (change("adjustment -1 USD"), change("advance 5 USD"), change("adjustment 2 USD", change_id="c2"))
    debt = (earned("-9", "EUR"), change("write_off 9 EUR", change_id="c3"))
    said = settle(*FACTS, BOTH, paid("l1"), bounced("l1"), *more, *debt)
    told = {(row.code, row.amount): explain(row) for row in said.transfers}
    assert {key: one.headline for key, one in told.items() if key[0] not in ("accrual", "statement")} == {
        ("payout", D("18.84")): "18.84 USD of ib-north went into a payout",
        ("paid", D("18.84")): "18.84 USD was paid to ib-north",
        ("returned", D("18.84")): "18.84 USD of ib-north came back from a payout and is payable again",
        ("adjustment", D(1)): "ib-north was charged 1.00 USD by an adjustment",
        ("adjustment", D(2)): "ib-north was given 2.00 USD by an adjustment",
        ("advance", D(5)): "5.00 USD became payable to ib-north in advance",
        ("write_off", D(9)): "9.00 EUR that ib-north owed was written off",
        ("reversal", D(9)): "9.00 EUR was taken back from ib-north",
    }
    assert told["paid", D("18.84")].sentences == (
        "Line l1 of batch b1 was reported as paid at 2026-10-11 02:00:00 UTC.",
    )
    who = "ann asked for it and ben approved it at 2026-10-10 00:00:00 UTC: agreed on the phone."
    assert told["adjustment", D(1)].sentences == (who, "It is on the open statement.")
    assert told["advance", D(5)].sentences[1].startswith("The open statement takes the same amount back")
