"""What a deal does beside what it earns waits for the terms that tell it, whatever its own IB is paid by."""

from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from commission.events import Deal
from commission.revision import revision_of
from commission.terms.components import CommissionShare
from schemas.wire import Record
from tests.build import (
    ANNA,
    SYMBOLS,
    D,
    cpa,
    deal,
    deposit,
    exchange,
    kyc,
    linked,
    partner,
    per_lot,
    plan,
    rates,
    reassigned,
    registered,
    run,
    spread,
    symbol,
    told_at,
)

NORTH = "ib:ib-north:pending"
SOUTH = (plan("per-lot USD", per_lot("*=1")), partner("ib-south USD per-lot"))
"""Known from the beginning: an IB that is paid by lots alone."""
HALF = CommissionShare(name="c", rates=rates("*=0.5"))
CHARGED = deal("1 buy 1 EURUSD in", day=3, commission=D(-10))
REFUNDED = deal("2 sell 1 EURUSD out", day=6, position_id="of-1", commission=D(10))
QUALIFIED = (*ANNA, kyc("anna approved", day=2), deposit("anna d1 600 USD", day=2))
TRADED = deal("1 sell 3 EURUSD out", day=5)
YEN = symbol("USDJPY forex 100000 JPY 0.01", average_pips=D(2))
TRADED_YEN = deal("1 sell 3 USDJPY out", day=5, price=D(150))


def by_itself(deal_id: str, amount: str, day: int) -> Deal:
    """A commission deal of the account; above 0 a refund."""
    values: dict[str, Any] = {"kind": "commission", "side": None, "entry": None, "symbol": ""}
    return deal(f"{deal_id} buy 0 X out", day=day, profit=D(amount), **values)


def owed(*first: Record, in_any_order: tuple[Record, ...]) -> dict[str, str]:
    """What is owed whatever the order of the others."""
    found = []
    for order in permutations(in_any_order):
        said = run(*first, *order, terms=())
        assert [] == said.dead_letters
        found.append(said.owed)
    assert all(one == found[0] for one in found)
    return found[0]


@pytest.mark.parametrize("charges", [False, True])
def test_a_charge_waits_for_the_plan_that_shares_it(*, charges: bool) -> None:
    """Of 20 for 1 lot 10 are shared, if later charges are; with 5 refunded 7.50."""
    own = plan("own USD", replace(HALF, charges=charges))
    late = (own, partner("ib-north USD own"))
    traded, charge, refund = deal("1 sell 1 EURUSD out"), by_itself("2", "-20", 4), by_itself("3", "5", 5)
    first = (SYMBOLS[0], *SOUTH, *ANNA)
    assert owed(*first, in_any_order=(*late, traded, charge)) == ({NORTH: "10.00 USD"} if charges else {})
    assert owed(*first, in_any_order=(*late, traded, charge, refund)) == (
        {NORTH: "7.50 USD"} if charges else {}
    )


@pytest.mark.parametrize(
    ("refund", "lots"),
    [(REFUNDED, "1.00 USD"), (by_itself("2", "10", 6), ""), (replace(REFUNDED, entry="in", side="buy"), "")],
)
def test_a_refund_under_another_ib_is_of_a_charge_that_waits(refund: Deal, lots: str) -> None:
    """ib-north shared 10 that are given back under ib-south: only 1 for a lot that was closed is left."""
    moved = (SYMBOLS[0], *SOUTH, *ANNA, reassigned("anna ib-south", day=4))
    late = (plan("own USD", HALF), partner("ib-north USD own"))
    due = {"ib:ib-south:pending": lots} if lots else {}
    assert due == owed(*moved, in_any_order=(*late, CHARGED, refund))


@pytest.mark.parametrize(("held_s", "due"), [(0, "100.00 USD"), (3 * 86400, "100.00 USD"), (4 * 86400, "")])
def test_a_cpa_counts_what_was_traded_before_its_plan_was_known(held_s: int, due: str) -> None:
    """3 lots of ib-south's count for the CPA of ib-north, which referred anna: 100, if 3 days are enough."""
    moved = (SYMBOLS[0], *SOUTH, *QUALIFIED, reassigned("anna ib-south", day=2))
    late = (plan("own USD", cpa("100", min_lots=D(3), min_holding_s=held_s)), partner("ib-north USD own"))
    opened = deal("7 buy 3 EURUSD in", day=2, position_id="of-1")
    lots = {"ib:ib-south:pending": "3.00 USD"}
    assert lots | ({NORTH: due} if due else {}) == owed(*moved, in_any_order=(*late, opened, TRADED))


def test_a_trade_that_is_changed_counts_as_it_is_in_the_end() -> None:
    """2 of 3 lots are too few for the CPA, and so is a deal that was cancelled: 2 and 0 for lots."""
    moved = (SYMBOLS[0], *SOUTH, *QUALIFIED, reassigned("anna ib-south", day=2))
    late = (plan("own USD", cpa("100", min_lots=D(3))), partner("ib-north USD own"))
    fewer = replace(TRADED, revision="b", volume_e8=TRADED.volume_e8 * 2 // 3)
    cancelled = replace(TRADED, revision="b", kind="cancelled")
    assert {"ib:ib-south:pending": "2.00 USD"} == run(*moved, TRADED, fewer, *late, terms=()).owed
    assert {} == run(*moved, TRADED, cancelled, *late, terms=()).owed


def test_a_trade_whose_position_is_told_later_counts() -> None:
    """3 lots without their position, then with it; then the plan: 100, and 3 for lots."""
    moved = (SYMBOLS[0], *SOUTH, *QUALIFIED, reassigned("anna ib-south", day=2))
    late = (plan("own USD", cpa("100", min_lots=D(3))), partner("ib-north USD own"))
    untold, told = told_at(TRADED, None), told_at(TRADED, "of-1")
    due = {NORTH: "100.00 USD", "ib:ib-south:pending": "3.00 USD"}
    assert due == run(*moved, untold, told, *late, terms=()).owed
    assert due == run(*moved, untold, *late, told, terms=()).owed


def test_a_trade_that_no_ib_earns_of_waits_for_its_symbol_to_be_counted() -> None:
    """Anna has no IB any more: ib-north's CPA counts the 3 lots, whenever their symbol is told."""
    terms = (plan("own USD", cpa("100", min_lots=D(3))), partner("ib-north USD own"))
    facts = (*QUALIFIED, reassigned("anna", day=3))
    assert {NORTH: "100.00 USD"} == owed(*facts, in_any_order=(SYMBOLS[0], *terms, TRADED))


@pytest.mark.parametrize(
    "asked", [{"min_turnover": D(1)}, {"min_spread": D(39)}, {"min_spread": D(41)}, {"min_turnover": D(501)}]
)
def test_a_cpa_waits_for_the_rate_that_tells_what_was_traded(asked: dict[str, Any]) -> None:
    """3 lots of yen are 300,000 USD, 500 times the deposit, and 2 pips of them 6,000 JPY, 40 USD at 150."""
    own = plan("own USD", cpa("100", min_lots=D(0), **asked), per_lot("*=1"))
    late = (exchange("USD/JPY 150", day=2), own, partner("ib-north USD own"), TRADED_YEN)
    due = "3.00 USD" if asked in ({"min_spread": D(41)}, {"min_turnover": D(501)}) else "103.00 USD"
    assert {NORTH: due} == owed(YEN, *QUALIFIED, in_any_order=late)


def test_an_account_is_linked_last() -> None:
    """Deals, terms and the client are known before the account is its: 3 for lots, 100 for the client."""
    own = (plan("own USD", cpa("100", min_lots=D(3)), per_lot("*=1")), partner("ib-north USD own"))
    facts = (registered("anna ib-north"), kyc("anna approved", day=2), deposit("anna d1 600 USD", day=2))
    assert {NORTH: "103.00 USD"} == run(SYMBOLS[0], *own, *facts, TRADED, linked("1 anna"), terms=()).owed


def through_north() -> tuple[Record, ...]:
    """Anna is ib-south's, ib-north's from day 2 to day 6, and ib-south's again."""
    links = (reassigned("anna ib-north", day=2), reassigned("anna ib-south", day=6))
    return (SYMBOLS[0], *SOUTH, linked("1 anna"), registered("anna ib-south"), *links)


def test_a_closing_that_waits_keeps_its_openings() -> None:
    """Half of 2 pips at the opening, 20 USD, is ib-north's; the rest is closed under ib-south."""
    late = (plan("own USD", spread("*=0.5", basis="open")), partner("ib-north USD own"))
    opened = deal("1 buy 2 EURUSD in", day=2, ask=D("1.1002"), bid=D("1.1"))
    closed = (deal(f"{n} sell 1 EURUSD out", day=n, position_id="of-1") for n in (3, 7))
    due = {NORTH: "10.00 USD", "ib:ib-south:pending": "1.00 USD"}
    assert due == owed(*through_north(), in_any_order=(*late, opened, *closed))


def test_an_opening_that_is_cancelled_leaves_the_others_to_a_closing_that_waits() -> None:
    """Half of 2 pips of the opening that is left, also where without the other nothing is open."""
    quoted = {"bid": D("1.1"), "ask": D("1.1002"), "position_id": "p"}
    opened = deal("1 buy 1 EURUSD in", day=3, **quoted)
    other = deal("2 buy 1 EURUSD in", day=4, **quoted)
    cancelled = replace(other, revision="b", kind="cancelled")
    closed = deal("3 sell 1 EURUSD out", day=5, position_id="p")
    late = (plan("own USD", spread("*=0.5", basis="open")), partner("ib-north USD own"))
    for order in permutations((opened, other, closed, cancelled)):
        if order.index(other) < order.index(cancelled):
            said = run(*through_north(), *order, *late, terms=())
            assert {NORTH: "10.00 USD"} == said.owed


@pytest.mark.parametrize(("asked", "due"), [("cpa", {NORTH: "100.00 USD"}), ("lots", {})])
def test_what_counts_only_for_a_cpa_waits_for_its_symbol(asked: str, due: dict[str, str]) -> None:
    """Nobody's client by then: three lots qualify her for whoever referred her, if that asks for lots.

    Also where the source tells the position after the deal.
    """
    own = plan("own USD", cpa("100", min_lots=D(3)) if asked == "cpa" else per_lot("*=1"))
    known = (own, partner("ib-north USD own"), *QUALIFIED, reassigned("anna", day=4))
    untold, placed = (
        replace(one, revision=revision_of(one)) for one in (replace(TRADED, position_id=None), TRADED)
    )
    for told in ((TRADED,), (untold, placed)):
        said = run(*known, *told, SYMBOLS[0], terms=())
        assert (due, []) == (said.owed, said.dead_letters)
