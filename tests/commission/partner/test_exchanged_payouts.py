"""Lines that are paid in another currency than they are owed in, by the rate of their batch.

September of ib-north closes with 12.34 USD and October with 6.50: 18.84. At 155.5 yen to the dollar that is
2,929.62 yen, of which whole ones are paid: 2,930. The broker gives 0.38 yen more than it owes, which stands
in `broker:exchange` with the rest: 18.84 USD came in, 2,930 JPY went out.
"""

import pytest
from msgspec.structs import replace

from commission.explain.explanation import explain
from commission.ledger import balances
from commission.money import plain
from commission.payouts.commands import AnyCommand
from commission.payouts.exchange import Exchange
from schemas.wire import Record, decode, encode
from tests.build import D, Told, at, ended
from tests.commission.books.partner_rows import earned, settle
from tests.commission.partner.payout_commands import bounced, lock, paid, unlock

FACTS: tuple[Record, ...] = (
    earned("12.34"), ended("2026-09"), earned("6.5", day=33), ended("2026-10"),
)  # fmt: skip
IDS = [one.statement_id for one in settle(*FACTS).statements if one.currency == "USD"]
YEN = Exchange(currency="JPY", times=D("155.5"), over=D(1), path="USD/JPY 155.5 (2026-10-09, ecb)", at=at(39))
LINE = lock("l1 18.84 USD", *IDS, exchange=YEN)


def moved(*commands: AnyCommand) -> tuple[Told, dict[str, str], list[str]]:
    """What was said, where money is but for the expense, and what the book refused."""
    said = settle(*FACTS, *commands)
    found = {
        f"{account.removeprefix('ib:ib-north:')} {currency}": plain(amount)
        for (account, currency), amount in sorted(balances(said.transfers).items())
        if amount and not account.startswith("broker:expense")
    }
    return said, found, [one.reason for one in said.answers if one.reason]


def test_what_is_owed_in_dollars_is_paid_in_yen() -> None:
    """It is owed until it is paid; then the IB has yen, and each currency's rows add up to nothing."""
    _, found, refused = moved(LINE)
    assert (found, refused) == ({"in_payout USD": "18.84"}, [])
    said, found, refused = moved(LINE, paid("l1"), paid("l1"))
    assert (found, refused) == (
        {"broker:exchange JPY": "-2930", "broker:exchange USD": "18.84", "paid JPY": "2930"}, [],
    )  # fmt: skip
    rows = [row for row in said.transfers if row.code in ("paid", "exchange")]
    assert [(row.debit, row.credit, row.amount, row.currency) for row in rows] == [
        ("ib:ib-north:in_payout", "broker:exchange", D("18.84"), "USD"),
        ("broker:exchange", "ib:ib-north:paid", D(2930), "JPY"),
    ]


@pytest.mark.parametrize("way", [(bounced("l1"),), (unlock("l1"),), (paid("l1"), bounced("l1"))])
def test_what_comes_back_comes_back_by_the_same_rate(way: tuple[AnyCommand, ...]) -> None:
    """Before it was paid nothing was exchanged; after it, all of it is, the other way round."""
    said, found, refused = moved(LINE, *way)
    assert (found, refused) == ({"payable USD": "18.84"}, [])
    assert len({row.transfer_id for row in said.transfers}) == len(said.transfers)
    again = moved(LINE, *way, replace(LINE, line_id="l2", exchange=None), paid("l2"))
    assert again[1] == {"paid USD": "18.84"}


def test_no_statement_is_of_a_currency_that_is_only_paid() -> None:
    """November states dollars, of which nothing is earned, and no yen."""
    said = settle(*FACTS, LINE, paid("l1"), ended("2026-11"))
    assert [one.currency for one in said.statements if one.period == "2026-11"] == ["USD"]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"currency": "USD"}, "USD is paid as it is, without a rate"),
        ({"times": D(0)}, "a rate is above zero"),
        ({"over": D(-1)}, "a rate is above zero"),
        ({"times": D("1E+13")}, "the rate is beyond all that currencies are worth"),
        ({"over": D("1E+13")}, "18.84 USD comes to nothing"),
        ({"over": D("1E+16")}, "the rate is beyond all that currencies are worth"),
    ],
)
def test_a_rate_that_cannot_be_is_refused(changed: dict[str, object], why: str) -> None:
    """And the money stays payable."""
    _, found, refused = moved(replace(LINE, exchange=replace(YEN, **changed)))
    assert (found, refused) == ({"payable USD": "18.84"}, [why])


def test_a_half_is_rounded_to_even() -> None:
    """1 USD at 0.125 is 0.125 EUR: 0.12. 3 USD are 0.375: 0.38. By an inverse rate of 8 as well."""
    direct = Exchange(currency="EUR", times=D("0.125"), over=D(1), path="USD/EUR 0.125", at=at(39))
    inverse = replace(direct, times=D(1), over=D(8))
    for one in (direct, inverse):
        assert [one.of(D(amount)) for amount in ("1", "3")] == [D("0.12"), D("0.38")]


def test_a_line_without_a_rate_is_the_command_it_was() -> None:
    """Its id says nothing of a rate; with one it is another, which a line keeps on its way."""
    bare = replace(LINE, exchange=None)
    assert bare.command_id == lock("l1 18.84 USD", *IDS).command_id != LINE.command_id
    again = decode(encode([LINE])[0])
    assert (again, again.command_id) == (LINE, LINE.command_id)  # type: ignore[union-attr]


def test_both_halves_are_explained() -> None:
    """By the rate, its day and its source."""
    said, _, _ = moved(LINE, paid("l1"), bounced("l1"))
    told = [explain(row) for row in said.transfers if row.code == "exchange"]
    assert [one.headline for one in told] == [
        "2,930 JPY was paid to ib-north for 18.84 USD",
        "2,930 JPY that was paid to ib-north came back, for 18.84 USD",
    ]
    rate = "It is exchanged by the rate that the batch was created with: USD/JPY 155.5 (2026-10-09, ecb)."
    assert [one.sentences[1:] for one in told] == [(rate,), (rate,)]
    assert told[0].sentences[0].startswith("Line l1 of batch b1 was reported as paid at 2026-10-11")
    assert told[1].sentences[0].startswith("Line l1 of batch b1 was not paid, was cancelled or came back")
