"""A later commission charge is shared by the standard lots it is for, whatever the sizes of the lots."""

from typing import Any

import pytest
from msgspec.structs import replace

from commission.events import Deal
from commission.terms.components import CommissionShare
from tests.build import ANNA, D, at, deal, rates, run, symbol
from tests.commission.client.rerated import again
from tests.commission.worlds import NORTH, world

OUNCES = symbol("XAUUSD metals 100 USD 0.01")
TENTH = replace(OUNCES, contract_size=D(10), since=at(10), rescale=D(10))
"""From 10 September on a lot is 10 ounces, a tenth of a standard lot."""
TERMS = world(CommissionShare(name="c", rates=rates("XAUUSD=1"), charges=True), extra=(OUNCES, TENTH))
"""All that was charged for gold, nothing of what was for euros."""


def charge(deal_id: str, amount: str, day: int) -> Deal:
    """A commission deal of the account; above 0 a refund."""
    values: dict[str, Any] = {"kind": "commission", "side": None, "entry": None, "symbol": ""}
    return deal(f"{deal_id} buy 0 X out", day=day, profit=D(amount), **values)


GOLD = deal("1 buy 1 XAUUSD out", day=3)
TENTHS = deal("2 sell 10 XAUUSD out", day=12)
EUROS = deal("3 sell 2 EURUSD out", day=13)


@pytest.mark.parametrize(
    ("deals", "owed"),
    [
        ((GOLD, TENTHS, EUROS), "20.00 USD"),  # 1 and 10 tenths against 2: half of 40
        ((TENTHS, EUROS), "13.33333333 USD"),  # 1 against 2: a third
        ((GOLD, deal("4 buy 100 EURUSDc out")), "20.00 USD"),  # 100 cent lots are one
        ((GOLD, deal("4 buy 30 EURUSD out", contract_size=D(10_000))), "10.00 USD"),  # 30 tenths are 3
    ],
)
def test_a_charge_is_shared_by_standard_lots(deals: tuple[Deal, ...], owed: str) -> None:
    """40 USD charged on day 20 for all that was traded before."""
    assert {NORTH: owed} == run(*ANNA, *deals, charge("9", "-40", 20), terms=TERMS).owed


def test_a_cancelled_deal_takes_its_standard_lots_along() -> None:
    """Without the 10 tenths 1 lot of gold and 2 of euros: a third of 40 USD."""
    gone = replace(TENTHS, kind="cancelled", revision="b")
    said = run(*ANNA, GOLD, TENTHS, EUROS, gone, charge("9", "-40", 20), terms=TERMS)
    assert {NORTH: "13.33333333 USD"} == said.owed


def test_a_refunded_charge_leaves_nothing() -> None:
    """20 of 40 for gold, and 20 back; rated again, as much."""
    charged, refunded = charge("8", "-40", 20), charge("9", "40", 21)
    said = run(*ANNA, GOLD, TENTHS, EUROS, charged, again(charged), terms=TERMS)
    assert {NORTH: "20.00 USD"} == said.owed
    assert {} == run(*ANNA, GOLD, TENTHS, EUROS, charged, refunded, again(refunded), terms=TERMS).owed


def test_the_row_counts_standard_lots() -> None:
    """1 and 10 tenths are 2, though of the lots of that day they are 20."""
    said = run(*ANNA, GOLD, TENTHS, charge("9", "-40", 20), terms=TERMS)
    assert [D(2)] == [row.lots for row in said.transfers]
