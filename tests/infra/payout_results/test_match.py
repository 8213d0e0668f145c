"""Matching: by EndToEndId alone, and what a file says twice."""

from dataclasses import replace
from decimal import Decimal

import pytest

from infra.payout_results.results import Matched, Outcome, ResultFile, Said, match
from tests.infra.payout_results.sent import FIRST, SECOND, SENT, THIRD, outcomes, reasons

PAID = Said(reference=FIRST, outcome="settled", reason="paid", place="1")


def heard(*said: Said) -> Matched:
    """A file that says this, beside what was sent."""
    return match(ResultFile("test", "T", said), SENT)


@pytest.mark.parametrize(
    ("words", "outcome"),
    [
        ([("settled", False), ("settled", False)], "settled"),
        ([("pending", False), ("settled", False)], "settled"),
        ([("settled", False), ("pending", False)], "settled"),
        ([("settled", False), ("rejected", True)], "rejected"),
        ([("rejected", True), ("settled", False)], "rejected"),
        ([("settled", False), ("rejected", False)], "unknown"),
        ([("settled", False), ("unknown", False)], "unknown"),
        ([("pending", False), ("pending", False)], "pending"),
    ],
)
def test_what_is_said_twice_of_a_line(words: list[tuple[Outcome, bool]], outcome: str) -> None:
    """In any order: final before pending, a return after a settlement, a contradiction is unknown."""
    said = [replace(PAID, outcome=one, is_return=is_return) for one, is_return in words]
    assert {FIRST: outcome} == outcomes(heard(*said))


def test_an_amount_never_finds_a_line() -> None:
    """The amount of a line of ours under an id that is not: no result."""
    found = heard(replace(PAID, reference="NOTPROVIDED", amount=Decimal("100.50"), currency="EUR"))
    assert () == found.results
    assert ["NOTPROVIDED"] == [one.reference for one in found.unmatched]


@pytest.mark.parametrize(("amount", "currency"), [("100.51", "EUR"), ("100.50", "USD"), ("100.51", "")])
def test_another_amount_or_currency_is_no_result(amount: str, currency: str) -> None:
    """The line is unknown, and listed with both figures."""
    found = heard(replace(PAID, amount=Decimal(amount), currency=currency))
    assert {FIRST: "unknown"} == outcomes(found)
    assert f"the bank says {amount} {currency}, we sent 100.50 EUR" == found.unmatched[0].why


def test_the_narrower_word_counts() -> None:
    """Of the message rejected, of a payment pending, of a line settled: each line has the narrowest."""
    found = heard(
        PAID,
        Said(scope="payment", reference="PAYMENTOFB7SEPA", outcome="pending", reason="on its way", place="2"),
        Said(scope="message", reference="MESSAGEOFB7AAAA", outcome="rejected", reason="no", place="3"),
    )
    assert {FIRST: "settled", SECOND: "pending", THIRD: "rejected"} == outcomes(found)


@pytest.mark.parametrize("scope", ["message", "payment"])
def test_a_word_on_another_file_is_listed(scope: str) -> None:
    """Also one that does not say which file it speaks of."""
    found = heard(*(replace(PAID, scope=scope, reference=one) for one in ("OTHER", "")))
    assert () == found.results
    assert [f"it speaks of a {scope} that is not ours: settled, paid"] * 2 == [
        one.why for one in found.unmatched
    ]


def test_a_sum_in_another_currency_is_no_result() -> None:
    """350.50 USD are not our 350.50 EUR."""
    part = Said(scope="payment", reference="PAYMENTOFB7SEPA", outcome="settled", reason="", place="1")
    for currency, count in (("EUR", 2), ("", 2), ("USD", 0)):
        found = heard(replace(part, amount=Decimal("350.50"), currency=currency))
        assert (count, count == 0) == (len(found.results), bool(found.unmatched))


def test_a_line_said_often_shows_the_first_reasons() -> None:
    """Three of many; the same one once."""
    found = heard(*(replace(PAID, reason=f"reason {n // 2}") for n in range(100)))
    assert "reason 0; reason 1; reason 2" == reasons(found)[FIRST]
