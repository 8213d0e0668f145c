"""Lines with tax: paid besides, kept back, or neither; alone and with another currency.

September of ib-north closes with 12.34 USD. VAT of 19 % on it is 2.3446, so 2.34: 14.68 are paid. 10 % kept
back is 1.234, so 1.23: 11.11 are paid. At 155.5 yen 14.68 USD are 2,282.74, so 2,283, and 11.11 USD are
1,727.605, so 1,728.
"""

import pytest
from msgspec.structs import replace

from commission.explain.explanation import explain
from commission.ledger import balances
from commission.money import plain
from commission.payouts.commands import AnyCommand
from commission.payouts.exchange import Exchange
from commission.payouts.tax import Tax
from schemas.wire import Record
from tests.build import D, Told, at, ended
from tests.commission.books.partner_rows import earned, settle
from tests.commission.partner.payout_commands import bounced, lock, paid, unlock

FACTS: tuple[Record, ...] = (earned("12.34"), ended("2026-09"))
(SEPTEMBER,) = (one.statement_id for one in settle(*FACTS).statements)
VAT, KEPT = Tax(kind="vat", percent=D(19)), Tax(kind="withholding", percent=D(10))
YEN = Exchange(currency="JPY", times=D("155.5"), over=D(1), path="USD/JPY 155.5", at=at(39))
LINE = lock("l1 12.34 USD", SEPTEMBER)


def moved(*commands: AnyCommand) -> tuple[Told, dict[str, str], list[str]]:
    """What was said, where money is but for the expense, and what the book refused."""
    said = settle(*FACTS, *commands)
    found = {
        f"{account.removeprefix('ib:ib-north:')} {currency}": plain(amount)
        for (account, currency), amount in sorted(balances(said.transfers).items())
        if amount and not account.startswith("broker:expense")
    }
    return said, found, [one.reason for one in said.answers if one.reason]


@pytest.mark.parametrize(
    ("tax", "exchange", "where"),
    [
        (VAT, None, {"broker:tax:vat USD": "-2.34", "paid USD": "14.68"}),
        (KEPT, None, {"broker:tax:withholding USD": "1.23", "paid USD": "11.11"}),
        (Tax(kind="reverse_charge"), None, {"paid USD": "12.34"}),
        (Tax(kind="none"), None, {"paid USD": "12.34"}),
        (
            VAT, YEN,
            {
                "broker:exchange JPY": "-2283", "broker:exchange USD": "14.68", "broker:tax:vat USD": "-2.34",
                "paid JPY": "2283",
            },
        ),
        (
            KEPT, YEN,
            {
                "broker:exchange JPY": "-1728", "broker:exchange USD": "11.11",
                "broker:tax:withholding USD": "1.23", "paid JPY": "1728",
            },
        ),
    ],
)  # fmt: skip
def test_tax_stands_by_itself_and_comes_back_with_the_payment(
    tax: Tax, exchange: Exchange | None, where: dict[str, str]
) -> None:
    """What is owed alone is locked and comes back; the rest is as if it had not been."""
    line = replace(LINE, tax=tax, exchange=exchange)
    assert moved(line)[1:] == ({"in_payout USD": "12.34"}, [])
    assert moved(line, paid("l1"))[1:] == (where, [])
    for way in ((unlock("l1"),), (bounced("l1"),), (paid("l1"), bounced("l1"))):
        said, found, refused = moved(line, *way)
        assert (found, refused) == ({"payable USD": "12.34"}, [])
        assert len({row.transfer_id for row in said.transfers}) == len(said.transfers)


@pytest.mark.parametrize(
    ("tax", "why"),
    [
        (Tax(kind="vat"), "vat has a percentage above 0 and below 100"),
        (Tax(kind="withholding", percent=D(100)), "withholding has a percentage above 0 and below 100"),
        (Tax(kind="vat", percent=D(-1)), "vat has a percentage above 0 and below 100"),
        (Tax(kind="none", percent=D(1)), "none has no percentage"),
        (Tax(kind="reverse_charge", percent=D(1)), "reverse_charge has no percentage"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(tax: Tax, why: str) -> None:
    """And the money stays payable."""
    assert moved(replace(LINE, tax=tax))[1:] == ({"payable USD": "12.34"}, [why])


def test_a_payment_of_which_all_is_kept_back_is_refused() -> None:
    """99.99 % of 12.34 is 12.338766, so 12.34: nothing is left to pay."""
    found = moved(replace(LINE, tax=Tax(kind="withholding", percent=D("99.99"))))
    assert found[1:] == ({"payable USD": "12.34"}, ["12.34 USD comes to nothing"])


def test_tax_is_explained() -> None:
    """Each way, and which line of which batch it belongs to."""
    told = []
    for tax in (VAT, KEPT):
        said, _, _ = moved(replace(LINE, tax=tax), paid("l1"), bounced("l1"))
        told += [explain(row) for row in said.transfers if row.code == "tax"]
    assert [one.headline for one in told] == [
        "2.34 USD was paid to ib-north besides: VAT 19 %",
        "2.34 USD that was paid to ib-north besides came back: VAT 19 %",
        "1.23 USD was kept back from ib-north: Withholding tax 10 %",
        "1.23 USD that was kept back from ib-north was undone: Withholding tax 10 %",
    ]
    assert ["reported as paid" in one.sentences[0] for one in told] == [True, False, True, False]


def test_a_half_cent_of_tax_goes_to_the_even_one() -> None:
    """5 % of 0.50 is 0.025: 0.02; of 0.70 it is 0.035: 0.04. Yen have no cents: 19 % of 50 is 9.5, so 10."""
    five = Tax(kind="vat", percent=D(5))
    assert [five.of(D(amount), "USD") for amount in ("0.5", "0.7")] == [D("0.02"), D("0.04")]
    assert [one.of(D(50), "JPY") for one in (VAT, KEPT)] == [10, -5]
