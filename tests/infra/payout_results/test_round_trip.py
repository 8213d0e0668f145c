"""From an order to a bank that is not ours and back: each line has what the bank made of it."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mockbank import validate

from infra.payout_files.nacha import write_nacha
from infra.payout_files.pain_001 import VERSIONS, write_pain_001
from infra.payout_results.read import read_results
from infra.payout_results.results import LineResult, match
from infra.payout_results.sent import sent_of
from tests.effort import tries
from tests.infra.payout_files.orders import DOLLARS, EUROS, EXECUTED, IVANOV, MULLER, SMITH, line, order
from tests.infra.payout_results.bank import Bank, nacha_returns, returned


@pytest.mark.parametrize("version", VERSIONS)
def test_one_is_rejected_one_comes_back_the_others_are_paid(version: str) -> None:
    """The third account is closed, the second payment comes back days later; every line by its own id."""
    bank, sent = Bank(), sent_of(EUROS)
    bank.open("IVANOV", IVANOV, "closed-account")
    first, second, third, fourth = (line.end_to_end_id for line in EUROS.lines)

    status = match(read_results(bank.receive(write_pain_001(EUROS, version).body)), sent)
    assert {first: "pending", second: "pending", third: "rejected", fourth: "pending"} == {
        one.end_to_end_id: one.outcome for one in status.results
    }
    assert "AC04: the account is closed" in status.results[2].reason

    bookings = bank.settle()
    booked = match(read_results(bank.notify(bookings)), sent)
    paid = [LineResult(one, "settled", "debited from our account") for one in (first, second, fourth)]
    assert tuple(paid) == booked.results

    back = next(one for one in bookings if one["end_to_end_id"] == second)
    assert SMITH.iban == back["creditor_iban"]
    late = match(read_results(bank.notify([returned(back, "MD07")])), sent)
    assert (LineResult(second, "rejected", "returned: MD07: the payee has died"),) == late.results
    assert () == status.unmatched + booked.unmatched + late.unmatched


PAYEES = {"accept": MULLER, "closed-account": IVANOV, "bad-bank-id": SMITH}


@settings(deadline=None, max_examples=tries(15))
@given(st.lists(st.sampled_from([*PAYEES]), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_equal_amounts_are_told_apart_by_their_ids(payees: list[str], random: Random) -> None:
    """Every payment is 10.00; the bank rejects those to two accounts and books the others in any order."""
    bank = Bank()
    for behaviour, account in PAYEES.items():
        bank.open(behaviour.upper(), account, behaviour)
    wanted = order(*(line(f"IB-{n}", "10", PAYEES[payee]) for n, payee in enumerate(payees)))
    ids = [one.end_to_end_id for one in wanted.lines]
    status = match(read_results(bank.receive(write_pain_001(wanted).body)), sent_of(wanted))
    expected = {
        one: "pending" if payee == "accept" else "rejected" for one, payee in zip(ids, payees, strict=True)
    }
    assert expected == {one.end_to_end_id: one.outcome for one in status.results}
    bookings = bank.settle()
    random.shuffle(bookings)
    if bookings:
        booked = match(read_results(bank.notify(bookings)), sent_of(wanted))
        accepted = [one for one, payee in zip(ids, payees, strict=True) if payee == "accept"]
        assert accepted == [one.end_to_end_id for one in booked.results]
        assert {"settled"} == {one.outcome for one in booked.results}
        assert () == status.unmatched + booked.unmatched


def test_a_file_sent_twice_is_rejected_by_its_message_id() -> None:
    """The bank's own check for duplicates works on our ids: a re-export is the same message."""
    bank = Bank()
    body = write_pain_001(EUROS).body
    bank.receive(body)
    again = match(read_results(bank.receive(body)), sent_of(EUROS))
    assert {"rejected"} == {one.outcome for one in again.results}
    assert all("DUPL: the payment was sent before" in one.reason for one in again.results)
    assert 4 == len(again.results)


def test_nacha_entries_come_back_with_their_reasons() -> None:
    """Two of three; the one that is not mentioned has no result: in ACH no answer is the good one."""
    file, _ = validate.inspect(write_nacha(DOLLARS).body, today=EXECUTED)
    fifth, sixth, seventh = (line.end_to_end_id for line in DOLLARS.lines)
    returns = read_results(nacha_returns(file.payments, {fifth: "R03", sixth: "R16"}))
    found = match(returns, sent_of(DOLLARS))
    assert (
        LineResult(fifth, "rejected", "returned: R03: no such account, or another name"),
        LineResult(
            sixth,
            "rejected",
            "returned: R16: the account is frozen, or a sanctions office told the bank to return it",
        ),
    ) == found.results
    assert () == found.unmatched
    assert seventh not in {one.end_to_end_id for one in found.results}
