"""A close-by's two legs are paired by the order they share; where that is not told, by time and volume."""

from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from commission.events import Deal
from schemas.wire import Record
from tests.build import ANNA, deal, per_lot, run, told_at
from tests.commission.client.rerated import again
from tests.commission.worlds import NORTH, world

BY_FIRST_LEG = world(per_lot("*=5", close_by="first_leg"))


def leg(number: int, order: str = "", hour: int = 0, **fields: Any) -> Deal:
    """A leg of a lot of EURUSD."""
    side = "sell" if number % 2 else "buy"
    return deal(f"{number} {side} 1 EURUSD out_by", hour=hour, close_by=order, **fields)


def paid(*records: Record) -> dict[str, str]:
    """What stands of each deal's accruals."""
    sums: dict[str, Decimal] = {}
    for row in run(*ANNA, *records, terms=BY_FIRST_LEG).transfers:
        name = row.caused_by.removeprefix("live|")
        sums[name] = sums.get(name, Decimal()) + (row.amount if row.code == "accrual" else -row.amount)
    return {name: f"{amount:.2f}" for name, amount in sums.items() if amount}


@pytest.mark.parametrize(("order", "due"), [("700", {"9": "10.00"}), ("", {"9": "10.00", "10": "10.00"})])
def test_legs_of_one_order_may_have_times_of_their_own(order: str, due: dict[str, str]) -> None:
    """An hour apart: of one order 9 pays 2 lots at 5 for both; without it they are two, each alone."""
    for legs in permutations((leg(9, order), leg(10, order, hour=1))):
        assert due == paid(*legs)


def test_legs_of_one_time_belong_to_their_orders() -> None:
    """Two close-bys of a lot at one time: 9 with 12, and 10 with 11. So 9 and 10 pay, not 9 and 11."""
    for legs in permutations((leg(9, "700"), leg(10, "701"), leg(11, "701"), leg(12, "700"))):
        assert {"9": "10.00", "10": "10.00"} == paid(*legs)
    untold = (leg(9), leg(10), leg(11), leg(12))
    assert {"9": "10.00", "11": "10.00"} == paid(*untold)


def test_an_order_is_of_one_account() -> None:
    """Both accounts are Anna's: two legs of one number on two accounts are two firsts, 10 each."""
    legs = leg(9, "700"), leg(10, "700", login=2)
    link = replace(ANNA[0], login=2, event_id="link 2")
    assert {"9": "10.00", "10": "10.00"} == paid(link, *legs)


def test_an_edited_leg_goes_to_the_order_it_names() -> None:
    """9 with 10; then 10 is of another order with 11: 9 alone pays for both of its legs, as does 10."""
    legs = leg(9, "700"), leg(10, "700"), leg(11, "701")
    assert {"9": "10.00", "11": "10.00"} == paid(*legs)
    edited = leg(10, "701", revision="b")
    assert {"9": "10.00", "10": "10.00"} == paid(*legs, edited)
    gone = leg(9, "700", revision="b", kind="cancelled")
    assert {"10": "10.00"} == paid(*legs, edited, gone)


def test_a_leg_rated_again_stays_with_its_order() -> None:
    """The record to rate by does not tell the order, nor the position: it is the deal that is known."""
    legs = [told_at(leg(number, "700", hour=number), f"p{number}") for number in (9, 10)]
    untold = [told_at(replace(one, close_by=""), None) for one in legs]
    said = run(*ANNA, *legs, *(again(one) for one in (*legs, *untold)), terms=BY_FIRST_LEG)
    assert {NORTH: "10.00 USD"} == said.owed
    placed = run(*ANNA, told_at(legs[1], None), *legs[::-1], terms=BY_FIRST_LEG)
    assert {NORTH: "10.00 USD"} == placed.owed


def test_an_edit_can_make_the_other_leg_the_first() -> None:
    """9 was before 10 by its number; 10 is edited to an hour before 9, so that it pays both, 2 lots at 5."""
    legs = leg(9, "700", hour=2), leg(10, "700", hour=2)
    edited = leg(10, "700", hour=1, revision="b")
    for records in permutations((*legs, edited)):
        if records.index(legs[1]) < records.index(edited):
            assert {"10": "10.00"} == paid(*records)
    assert {"10": "10.00"} == paid(edited, legs[0])
    assert {"9": "10.00"} == paid(*legs, edited, leg(10, "700", hour=3, revision="c"))
