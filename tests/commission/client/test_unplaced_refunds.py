"""A refund whose charge no opening tells is of the nearest charge before it that has as much left."""

from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from commission.events import ChargebackWon, Deal
from commission.revision import revision_of
from commission.terms.components import CommissionShare
from commission.terms.plans import Clawback, PlanDefined
from commission.terms.rates import Rate
from tests.build import (
    ANNA,
    SYMBOLS,
    D,
    Told,
    at,
    chargeback,
    deal,
    deposit,
    kyc,
    linked,
    partner,
    per_lot,
    plan,
    rates,
    reassigned,
    run,
)
from tests.commission.client.rerated import again

NORTH = "ib:ib-north:pending"
HALF = CommissionShare(name="c", rates=rates("*=0.5"))
OWN = replace(plan("own USD", HALF), clawback=Clawback(chargeback="activity"))
CHARGED = deal("1 buy 1 EURUSD in", day=3, commission=D(-20))
ON_OPENING = deal("2 buy 1 EURUSD in", day=5, commission=D(20))
CLOSING = deal("2 sell 1 EURUSD out", day=5, commission=D(20))
"""Of a position that nothing else is known of."""
UNTOLD = replace(CLOSING, position_id=None)
BY_GROUP = plan("own USD", replace(HALF, rates=(*HALF.rates, Rate(match="*", value=D("0.1"), group="vip"))))
VIP = deal("3 buy 1 EURUSD in", day=4, commission=D(-40), group="vip")


def by_itself(deal_id: str, amount: str, day: int) -> Deal:
    """A commission deal of the account; above 0 a refund."""
    values: dict[str, Any] = {"kind": "commission", "side": None, "entry": None, "symbol": ""}
    return deal(f"{deal_id} buy 0 X out", day=day, profit=D(amount), **values)


def told(*records: object, own: PlanDefined = OWN) -> Told:
    """All that is said."""
    terms = (*SYMBOLS, own, partner("ib-north USD own"))
    said = run(*ANNA, *records, terms=terms)  # type: ignore[arg-type] # records of any kind
    assert [] == said.dead_letters
    return said


@pytest.mark.parametrize("refund", [ON_OPENING, CLOSING, UNTOLD, by_itself("2", "20", 5)])
@pytest.mark.parametrize("charges", [False, True])
@pytest.mark.parametrize("entry", ["in", "out", "both"])
def test_a_refund_takes_back_what_its_charge_earned(refund: Deal, entry: Any, *, charges: bool) -> None:
    """Half of 20 charged on an opening, or nothing under `entry: out`; all of it goes, and no more."""
    own = plan("own USD", replace(HALF, entry=entry, charges=charges))
    for order in permutations((CHARGED, refund)):
        said = told(*order, own=own)
        assert ({}, "rejected refund") == (said.owed, said.reasons["2"])


def test_a_refund_by_itself_is_first_of_what_was_charged_so() -> None:
    """20 charged on an opening and 30 later, which the plan does not share: 25 back are of the 30."""
    for order in permutations((CHARGED, by_itself("3", "-30", 4), by_itself("2", "25", 5))):
        said = told(*order)
        assert ({NORTH: "10.00 USD"}, "rejected refund") == (said.owed, said.reasons["2"])


@pytest.mark.parametrize("refund", [ON_OPENING, CLOSING, UNTOLD])
def test_a_refund_after_a_dispute_takes_what_is_left(refund: Deal) -> None:
    """All of 10 went with the deposit; half of it disputed and 5 of 20 refunded leave 3.75; won, 7.50."""
    start, dispute = deposit("anna d1 1000 USD", day=2), chargeback("anna d1", day=4)
    half, part = replace(dispute, amount=D(500)), replace(refund, commission=D(5))
    won = ChargebackWon(event_id="won", client_id="anna", deposit_id="d1", occurred_at=at(8))
    for order in permutations((CHARGED, dispute, refund)):
        assert {} == told(start, *order).owed
    for order in permutations((CHARGED, half, part)):
        assert {NORTH: "3.75 USD"} == told(start, *order).owed
        assert {NORTH: "7.50 USD"} == told(start, *order, won).owed


@pytest.mark.parametrize(
    ("other", "due"),
    [
        (VIP, "12.00 USD"),  # the newest: 10, and 4 less the half of it
        (replace(VIP, commission=D(-10)), "1.00 USD"),  # too small
        (replace(VIP, occurred_at=at(6)), "4.00 USD"),  # not yet there
        (replace(VIP, symbol="XAUUSD"), "4.00 USD"),  # another symbol
        (replace(VIP, login=2), "4.00 USD"),  # another account
    ],
)
def test_which_charge_it_is(other: Deal, due: str) -> None:
    """20 refunded on day 5; 20 were charged on day 3, half of it due, and 40 to a vip, a tenth of it due."""
    for order in permutations((CHARGED, other, ON_OPENING)):
        assert {NORTH: due} == told(linked("2 anna"), *order, own=BY_GROUP).owed


def test_its_own_position_comes_first() -> None:
    """20 of position 1 and 20 of position 3: a refund on an addition to 1 is of the former, a tenth of it."""
    older = replace(CHARGED, group="vip")
    newer = deal("3 buy 1 EURUSD in", day=4, commission=D(-20))
    added = replace(ON_OPENING, position_id="of-1")
    for order in permutations((older, newer, added)):
        assert {NORTH: "10.00 USD"} == told(*order, own=BY_GROUP).owed


def test_more_than_one_charge_has() -> None:
    """30 refunded of 20 and 14: 14 of the newer, and 16 of 20. Of 40 the last 6 are of no charge."""
    second = deal("3 buy 1 EURUSD in", day=4, commission=D(-14))
    for amount, due, reason in ((30, {NORTH: "2.00 USD"}, "refund"), (40, {}, "refund_unknown")):
        refund = replace(ON_OPENING, commission=D(amount))
        for order in permutations((CHARGED, second, refund)):
            said = told(*order)
            assert (due, f"rejected {reason}") == (said.owed, said.reasons["2"])


def test_a_refund_of_nothing_known_takes_nothing() -> None:
    """It says so, also beside what it earns itself: 3 for its lot, of which nothing is taken."""
    said = told(ON_OPENING)
    assert ({}, "rejected refund_unknown") == (said.owed, said.reasons["2"])
    said = told(ON_OPENING, own=plan("own USD", HALF, per_lot("*=3", entry="in")))
    assert ({NORTH: "3.00 USD"}, "rejected refund_unknown") == (said.owed, said.reasons["2"])


def test_each_refund_has_its_charge() -> None:
    """15 and 8 refunded of 20 and 20: 15 are of the newer, 8 of the older, and a third of 12, all it has."""
    second = deal("3 buy 1 EURUSD in", day=4, commission=D(-20))
    first, other = replace(CLOSING, commission=D(15)), replace(ON_OPENING, deal_id="4", commission=D(8))
    other = replace(other, occurred_at=at(6))
    third = replace(other, deal_id="5", occurred_at=at(7), commission=D(12))
    for order in permutations((CHARGED, second, first, other)):
        assert {NORTH: "8.50 USD"} == told(*order).owed  # 2.50 + 6
    for order in permutations((first, other, third)):
        said = told(CHARGED, second, *order)
        assert {NORTH: "2.50 USD"} == said.owed  # 20 - 15 and 20 - 8 - 12


def test_what_becomes_of_charge_and_refund() -> None:
    """Edited to 40, half of 20 is left; cancelled, nothing. The refund edited to 10: 5; to a charge: 11."""
    more = replace(CHARGED, revision="b", commission=D(-40))
    gone = replace(CHARGED, revision="z", kind="cancelled")
    assert {NORTH: "10.00 USD"} == told(CHARGED, ON_OPENING, more).owed
    said = told(CHARGED, ON_OPENING, gone)
    assert ({}, "rejected refund_unknown") == (said.owed, said.reasons["2"])
    later = replace(CHARGED, revision="c", occurred_at=at(6))
    assert {NORTH: "10.00 USD"} == told(CHARGED, ON_OPENING, later).owed
    less, charge = (replace(ON_OPENING, revision=n, commission=D(a)) for n, a in (("b", 10), ("c", -2)))
    assert {NORTH: "5.00 USD"} == told(CHARGED, ON_OPENING, less).owed
    assert {NORTH: "11.00 USD"} == told(CHARGED, ON_OPENING, less, charge).owed
    gone = replace(ON_OPENING, revision="z", kind="cancelled")
    assert {NORTH: "10.00 USD"} == told(CHARGED, ON_OPENING, gone).owed
    said = told(CHARGED, ON_OPENING, again(CHARGED), again(ON_OPENING))
    assert ({}, 2) == (said.owed, len(said.transfers))


def test_a_refund_on_a_closing_comes_before_others_of_its_opening() -> None:
    """20 charged on 2 lots; 1 lot closed with 10 refunded, and 12 on an opening: 10 and 10, and 2 of none."""
    two = replace(CHARGED, volume_e8=2 * CHARGED.volume_e8)
    closing = deal("3 sell 1 EURUSD out", day=6, position_id="of-1", commission=D(10))
    twelve = replace(ON_OPENING, commission=D(12))
    for order in permutations((two, twelve, closing)):
        said = told(*order)
        assert ({}, "rejected refund_unknown") == (said.owed, said.reasons["2"])
    beyond = replace(closing, commission=D(14))  # 10 are of the lot that it closes, 4 of the other
    for order in permutations((two, beyond)):
        assert {NORTH: "3.00 USD"} == told(*order).owed


def test_a_position_that_is_told_later_tells_the_charge() -> None:
    """20 refunded of 20 and 40: of the newer; once its position is told, of the older: 0 + 4."""
    untold = replace(UNTOLD, revision=revision_of(UNTOLD))
    placed = replace(UNTOLD, position_id="of-1")
    placed = replace(placed, revision=revision_of(placed))
    assert {NORTH: "12.00 USD"} == told(CHARGED, VIP, untold, own=BY_GROUP).owed  # 10 + 4 x 20/40
    assert {NORTH: "4.00 USD"} == told(CHARGED, VIP, untold, placed, own=BY_GROUP).owed
    assert {NORTH: "4.00 USD"} == told(CHARGED, VIP, placed, own=BY_GROUP).owed


def test_a_refund_that_waits_takes_nothing_yet() -> None:
    """Of a symbol that is not known it waits; of a client without an IB it takes what the charge earned."""
    unknown = replace(ON_OPENING, symbol="GBPUSD")
    assert {NORTH: "10.00 USD"} == told(CHARGED, unknown).owed
    left = reassigned("anna", day=4)
    for order in permutations((CHARGED, left, ON_OPENING)):
        assert {} == told(*order).owed
    held = plan("own USD", HALF, kyc_gate=True)
    said = told(CHARGED, ON_OPENING, kyc("anna approved", day=9), own=held)
    assert {} == said.owed


def in_position(text: str, day: int, paid: int = 0, **values: Any) -> Deal:
    """A deal of one position, and what it pays the client."""
    return deal(text, day=day, commission=D(paid), position_id="p", **values)


def test_an_in_out_refunds_its_openings_in_any_order() -> None:
    """Two lots charged 4 (2 due), 0.4 closed and charged 10 to a vip (1 due): an in/out gives back 6.

    It closes 1.6 of the two lots: 3.2 of the 4, and 2.8 of the 10. So 0.40 and 0.72 are left of 2 and 1.
    Before the 0.4 is known the volumes are even, and nothing is open.
    """
    opening = in_position("1 sell 2 EURUSD in", 3, -4)
    closing = in_position("2 buy 0.4 EURUSD out", 4, -10, group="vip")
    turned = in_position("3 buy 2 EURUSD inout", 5, 6, volume_closed_e8=160_000_000)
    for order in permutations((opening, closing, turned)):
        assert {NORTH: "1.12 USD"} == told(*order, own=BY_GROUP).owed


def test_what_was_flat_for_a_while_still_tells_the_charge() -> None:
    """A closing gives back 2, what the oldest opening was charged (1 due): 0.20 of the second, a vip's, stay.

    Without the last two deals known the position is flat, and the nearest charge is the second opening's.
    """
    first = in_position("1 buy 1 EURUSD in", 3, -2)
    second = in_position("2 buy 1 EURUSD in", 4, -2, group="vip")
    refund = in_position("3 sell 1 EURUSD out", 5, 2)
    third = in_position("4 buy 1 EURUSD in", 6)
    last = in_position("5 sell 2 EURUSD out", 7)
    for order in permutations((first, second, refund, third, last)):
        assert {NORTH: "0.20 USD"} == told(*order, own=BY_GROUP).owed
