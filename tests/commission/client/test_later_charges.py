"""Later charges of an account: before their deals, refunded, made again, told late, edited, cancelled."""

from itertools import permutations
from typing import Any

from msgspec.structs import replace

from commission.events import ClientFlagged, Deal
from commission.terms.components import CommissionShare
from commission.terms.plans import Clawback
from tests.build import ANNA, SYMBOLS, D, Told, at, chargeback, deal, deposit, partner, plan, rates, run
from tests.commission.client.rerated import again

NORTH = "ib:ib-north:pending"
SHARE = CommissionShare(name="c", rates=rates("EURUSD=0.5 XAUUSD=0.1"), charges=True)
OWN = replace(plan("own USD", SHARE), clawback=Clawback(chargeback="activity", fraud="all"))
TERMS = (*SYMBOLS, OWN, partner("ib-north USD own"))
GOLD = deal("1 buy 1 XAUUSD out", day=3)
EUROS = deal("2 sell 3 EURUSD out", day=4)


def charge(deal_id: str, amount: str, day: int) -> Deal:
    """A commission deal of the account; above 0 a refund."""
    values: dict[str, Any] = {"kind": "commission", "side": None, "entry": None, "symbol": ""}
    return deal(f"{deal_id} buy 0 X out", day=day, profit=D(amount), **values)


CHARGE = charge("8", "-20", 5)
"""15 for 3 lots of euros and 5 for 1 of gold: 7.50 + 0.50 = 8."""
REFUND = charge("9", "20", 6)


def told(*records: object) -> Told:
    """All that is said."""
    said = run(*ANNA, *records, terms=TERMS)  # type: ignore[arg-type] # records of any kind
    assert [] == said.dead_letters
    return said


def owed(*records: object) -> dict[str, str]:
    """What is owed."""
    return told(*records).owed


def test_a_charge_may_come_before_its_deals() -> None:
    """Whichever of the three is told first; the deal of the day after is for the next charge."""
    for order in permutations((GOLD, EUROS, CHARGE)):
        assert {NORTH: "8.00 USD"} == owed(*order)
    later, second = deal("3 sell 1 EURUSD out", day=6), charge("10", "-4", 7)
    for order in permutations((GOLD, EUROS, CHARGE)):
        assert {NORTH: "10.00 USD"} == owed(*order, later, second)  # and half of 4


def test_a_deal_of_the_last_charge_may_be_cancelled() -> None:
    """Without the euros all 20 are for gold: 2. The charge after it is not touched: half of 4."""
    gone = replace(EUROS, kind="cancelled", revision="z")
    assert {NORTH: "2.00 USD"} == owed(GOLD, EUROS, CHARGE, gone)
    assert {} == owed(EUROS, CHARGE, gone)
    later = deal("3 sell 1 EURUSD out", day=6)
    assert {NORTH: "4.00 USD"} == owed(GOLD, EUROS, CHARGE, gone, later, charge("10", "-4", 7))


def test_a_charge_made_again_after_its_refund_is_for_the_same() -> None:
    """20 refunded and charged again: 8; of new volumes alone, where there are some: half of 20."""
    anew = charge("10", "-20", 7)
    assert {} == owed(GOLD, EUROS, CHARGE, REFUND)
    assert {NORTH: "8.00 USD"} == owed(GOLD, EUROS, CHARGE, REFUND, anew)
    assert {NORTH: "10.00 USD"} == owed(GOLD, EUROS, CHARGE, REFUND, deal("3 sell 1 EURUSD out", day=6), anew)
    assert {NORTH: "8.00 USD"} == owed(GOLD, EUROS, CHARGE, anew)  # not refunded: 20 more for nothing


def test_a_refund_takes_what_a_dispute_left_of_the_charge() -> None:
    """Half of the deposit disputed takes 4 of 8, a refund of 5 a quarter of the rest: 3; all of it, all."""
    dispute = replace(chargeback("anna d1", day=6), amount=D(500))
    part = charge("9", "5", 7)
    for order in permutations((CHARGE, dispute)):
        assert {NORTH: "3.00 USD"} == owed(deposit("anna d1 1000 USD", day=2), GOLD, EUROS, *order, part)
    for order in permutations((dispute, REFUND)):
        assert {} == owed(deposit("anna d1 1000 USD", day=2), GOLD, EUROS, CHARGE, *order)


def test_refunds_of_more_than_the_charge() -> None:
    """15 and 10 of 20: the last 5 are a charge turned round, 1.875 + 0.125 = 2; told first, one takes 25."""
    assert {NORTH: "-2.00 USD"} == owed(GOLD, EUROS, CHARGE, charge("9", "15", 6), charge("10", "10", 7))
    assert {NORTH: "-2.00 USD"} == owed(GOLD, EUROS, CHARGE, charge("9", "25", 6))
    assert {NORTH: "-8.00 USD"} == owed(GOLD, EUROS, CHARGE, REFUND, charge("10", "20", 7))


def test_a_refund_that_is_changed() -> None:
    """5 are a quarter of 8: 6; edited to 10, 4; cancelled, 8. Nor does a proposal change anything."""
    part = charge("9", "5", 6)
    more, gone = replace(part, profit=D(10), revision="b"), replace(part, kind="cancelled", revision="z")
    assert {NORTH: "6.00 USD"} == owed(GOLD, EUROS, CHARGE, part)
    assert {NORTH: "4.00 USD"} == owed(GOLD, EUROS, CHARGE, part, more)
    assert {NORTH: "8.00 USD"} == owed(GOLD, EUROS, CHARGE, part, more, gone)
    said = told(GOLD, EUROS, CHARGE, part, again(part), again(CHARGE))
    assert ({NORTH: "6.00 USD"}, "rejected refund") == (said.owed, said.reasons["9"])
    assert 4 == len(said.transfers)  # of euros and gold, and back


def test_a_charge_that_is_changed() -> None:
    """40 for the same volumes: 16, also once another came, half of 4. Cancelled, the next is for them."""
    more = replace(CHARGE, profit=D(-40), revision="b")
    later, second = deal("3 sell 1 EURUSD out", day=6), charge("10", "-4", 7)
    assert {NORTH: "16.00 USD"} == owed(GOLD, EUROS, CHARGE, more)
    assert {NORTH: "18.00 USD"} == owed(GOLD, EUROS, CHARGE, later, second, more)
    gone = replace(CHARGE, kind="cancelled", revision="z")
    assert {} == owed(GOLD, EUROS, CHARGE, gone)
    assert {NORTH: "8.00 USD"} == owed(GOLD, EUROS, CHARGE, gone, charge("10", "-20", 7))
    assert {NORTH: "2.00 USD"} == owed(GOLD, EUROS, CHARGE, later, second, gone)


def test_a_charge_that_is_told_after_a_later_one() -> None:
    """It takes what is not charged yet, 1 lot of euros for 20: 10; the later one keeps its 8."""
    early = charge("7", "-20", 4)
    later = deal("3 sell 1 EURUSD out", day=6)
    assert {NORTH: "18.00 USD"} == owed(GOLD, EUROS, CHARGE, later, early)
    assert {NORTH: "-8.00 USD"} == owed(GOLD, EUROS, charge("7", "20", 4))  # of no charge that is known


def test_a_refund_after_fraud() -> None:
    """The 8 went with the verdict; the refund finds nothing, and is no deal of an IB's any more."""
    fraud = ClientFlagged(event_id="f", client_id="anna", verdict="fraud", occurred_at=at(5, 5))
    assert {} == owed(GOLD, EUROS, CHARGE, fraud, REFUND)
    assert {} == owed(GOLD, EUROS, CHARGE, REFUND, again(REFUND), fraud, again(REFUND))
