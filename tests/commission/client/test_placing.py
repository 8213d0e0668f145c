"""Deals whose source does not tell their position: rated without it, and placed once a source tells."""

import pytest
from msgspec.structs import replace

from commission.events import LOT_E8
from commission.revision import revision_of
from commission.terms.components import CommissionShare, Component, Cpa, CpaAmount, Turnover
from commission.terms.rates import When
from schemas.wire import Record, decode, encode
from streams.in_memory import LocalPipeline
from tests.build import (
    ANNA,
    SYMBOLS,
    D,
    Told,
    at,
    deal,
    deposit,
    kyc,
    linked,
    partner,
    per_lot,
    period,
    plan,
    rates,
    registered,
    run,
    told,
    told_at,
)
from tests.commission.client.rerated import again
from tests.commission.explanations import why

NORTH = "ib:ib-north:pending"
LONG = When(min_holding_s=3600)

OPENED = told_at(deal("1 buy 2 EURUSD in", day=3), "p")
CLOSED = told_at(deal("2 sell 2 EURUSD out", day=3, hour=2), "p")
OPENED_UNTOLD, CLOSED_UNTOLD = told_at(OPENED, None), told_at(CLOSED, None)


def world(*components: Component) -> tuple[Record, ...]:
    """Ib-north alone, with these components in dollars."""
    return (*SYMBOLS, plan("own USD", *components), partner("ib-north USD own"))


BOTH_SIDES = world(per_lot("*=5", entry="both"))
BY_HOLDING = world(per_lot("*=5", when=LONG))


def accruals(said: Told) -> int:
    """How often money was posted or taken back."""
    return len([row for row in said.transfers if row.code in ("accrual", "reversal")])


# The revision


def test_an_untold_position_takes_no_part_in_a_revision() -> None:
    """The mark `p` stands for it; the position told later is another revision, of a known form."""
    assert OPENED_UNTOLD.revision.endswith("p")
    assert revision_of(replace(OPENED, position_id=None)) == OPENED_UNTOLD.revision
    assert OPENED.revision != OPENED_UNTOLD.revision
    without = replace(OPENED, position_id="")
    assert f"{revision_of(without)}p" == OPENED_UNTOLD.revision
    assert revision_of(replace(OPENED_UNTOLD, is_service=True)) == f"{OPENED_UNTOLD.revision}s"


def test_on_the_wire_an_untold_position_is_null() -> None:
    """A line without the field has no position, as before; one with null does not tell it."""
    line = encode([OPENED_UNTOLD])[0]
    assert b'"position_id":null' in line
    assert decode(line) == OPENED_UNTOLD
    assert b"position_id" not in encode([replace(OPENED, position_id="")])[0]


# Rated by what needs no opening


def test_lots_turnover_and_commission_need_no_opening() -> None:
    """2 lots opened and 2 closed at 1.1: 4 x 5 = 20, 440,000 USD at 30 a million = 13.20, half of 8 = 4."""
    charged = [replace(one, commission=D(-4)) for one in (OPENED, CLOSED)]
    untold = [told_at(one, None) for one in charged]
    for component, owed in (
        (per_lot("*=5", entry="both"), "20.00 USD"),
        (Turnover(name="t", rates=rates("*=30"), entry="both"), "13.20 USD"),
        (CommissionShare(name="c", rates=rates("*=0.5"), entry="both"), "4.00 USD"),
    ):
        assert {NORTH: owed} == run(*ANNA, *untold, terms=world(component)).owed


def test_a_position_told_later_posts_nothing_again() -> None:
    """Before, after and again, in either order of the sources: 4 lots at 5 in two accruals, and no more."""
    for order in (
        (OPENED_UNTOLD, CLOSED_UNTOLD, OPENED, CLOSED),
        (OPENED, CLOSED, OPENED_UNTOLD, CLOSED_UNTOLD),
        (CLOSED_UNTOLD, CLOSED, OPENED_UNTOLD, CLOSED_UNTOLD, OPENED, OPENED_UNTOLD, CLOSED),
    ):
        said = run(*ANNA, *order, terms=BOTH_SIDES)
        assert ({NORTH: "20.00 USD"}, 2) == (said.owed, accruals(said))


def test_what_asks_for_its_opening_waits_until_the_position_is_told() -> None:
    """Held two hours where one is asked for: nothing for now, then 2 x 5, in whichever order it is told."""
    waits = run(*ANNA, OPENED_UNTOLD, CLOSED_UNTOLD, terms=BY_HOLDING)
    assert ({}, "waiting opening_unknown") == (waits.owed, waits.reasons["2"])
    assert "does not say which position" in waits.rejections[-1].text
    half = run(*ANNA, OPENED_UNTOLD, CLOSED_UNTOLD, CLOSED, terms=BY_HOLDING)
    assert ({}, "waiting opening_unknown") == (half.owed, half.reasons["2"])
    for later in ((OPENED, CLOSED), (CLOSED, OPENED)):
        said = run(*ANNA, OPENED_UNTOLD, CLOSED_UNTOLD, *later, terms=BY_HOLDING)
        assert ({NORTH: "10.00 USD"}, 1) == (said.owed, accruals(said))
    assert {NORTH: "10.00 USD"} == run(*ANNA, OPENED, CLOSED_UNTOLD, CLOSED, terms=BY_HOLDING).owed


def test_an_opening_placed_late_moves_what_later_ones_close() -> None:
    """Of two openings of a lot the older is untold: until it is told, the closing took the younger."""
    early = told_at(deal("5 buy 1 EURUSD in", day=2), "q")
    late = told_at(deal("6 buy 1 EURUSD in", day=3), "q")
    out = told_at(deal("7 sell 1 EURUSD out", occurred_at=at(3, 0).replace(minute=30)), "q")
    before = run(*ANNA, told_at(early, None), late, out, terms=BY_HOLDING)
    assert ({}, "rejected held_too_short") == (before.owed, before.reasons["7"])
    after = run(*ANNA, told_at(early, None), late, out, early, terms=BY_HOLDING)
    assert {NORTH: "5.00 USD"} == after.owed


# In/outs


def test_an_in_out_waits_for_its_position() -> None:
    """Long 2, sold 3: it closes 2 and opens 1, which only the position tells; at 5 both sides, 25 in all."""
    turned = told_at(deal("9 sell 3 EURUSD inout", day=4), "p")
    waits = run(*ANNA, OPENED, told_at(turned, None), terms=BOTH_SIDES)
    assert ({NORTH: "10.00 USD"}, "waiting position_untold") == (waits.owed, waits.reasons["9"])
    said = run(*ANNA, OPENED, told_at(turned, None), turned, told_at(turned, None), terms=BOTH_SIDES)
    assert ({NORTH: "25.00 USD"}, 2) == (said.owed, accruals(said))


def test_an_in_out_that_tells_what_it_closed_needs_no_position() -> None:
    """2 of 3 lots close: out pays 10, in 5; told later it opens 1 lot that is closed the next day."""
    turned = told_at(deal("9 sell 3 EURUSD inout", day=4, volume_closed_e8=2 * LOT_E8), "p")
    back = told_at(deal("10 buy 1 EURUSD out", day=5), "p")
    closing = run(*ANNA, told_at(turned, None), terms=world(per_lot("*=5")))
    opening = run(*ANNA, told_at(turned, None), terms=world(per_lot("*=5", entry="in")))
    assert ({NORTH: "10.00 USD"}, {NORTH: "5.00 USD"}) == (closing.owed, opening.owed)
    said = run(*ANNA, OPENED, told_at(turned, None), turned, back, terms=BY_HOLDING)
    assert {NORTH: "15.00 USD"} == said.owed


# Edits


def test_an_untold_edit_of_a_deal_whose_position_is_known() -> None:
    """3 lots instead of 2, by a source that tells no position: 15 for 10, and the position is still known."""
    edited = replace(CLOSED, volume_e8=3 * LOT_E8)
    opened = told_at(deal("1 buy 3 EURUSD in", day=3), "p")
    said = run(*ANNA, opened, CLOSED, told_at(edited, None), terms=BY_HOLDING)
    assert ({NORTH: "15.00 USD"}, 3) == (said.owed, accruals(said))
    same = run(*ANNA, opened, CLOSED, told_at(edited, None), told_at(edited, "p"), terms=BY_HOLDING)
    assert same.transfers == said.transfers


def test_an_old_record_tells_no_position_of_an_edited_deal() -> None:
    """2 lots became 3 before the position was told: the old file does not bring the 2 back."""
    old, new = told_at(CLOSED, None), replace(told_at(CLOSED, None), volume_e8=3 * LOT_E8)
    new = told_at(new, None)
    assert {NORTH: "15.00 USD"} == run(*ANNA, old, new, CLOSED, terms=BOTH_SIDES).owed
    placed = run(*ANNA, old, new, CLOSED, told_at(new, "p"), CLOSED, old, terms=BOTH_SIDES)
    assert ({NORTH: "15.00 USD"}, 3) == (placed.owed, accruals(placed))


def test_a_position_and_an_edit_told_at_once() -> None:
    """2 lots untold, then 3 in position p: 10 are taken back and 15 posted."""
    edited = told_at(replace(CLOSED, volume_e8=3 * LOT_E8), "p")
    said = run(*ANNA, CLOSED_UNTOLD, edited, terms=BOTH_SIDES)
    assert ({NORTH: "15.00 USD"}, 3) == (said.owed, accruals(said))


def test_a_deal_told_again_by_a_sweep_is_taken_up() -> None:
    """2, then 3, then 2 lots again under a name of its own (`~2`): 10 stand, at the position known."""
    edited = told_at(replace(CLOSED, volume_e8=3 * LOT_E8), "p")
    back = replace(CLOSED, revision=f"{CLOSED.revision}~2")
    assert {NORTH: "10.00 USD"} == run(*ANNA, CLOSED_UNTOLD, CLOSED, edited, back, terms=BOTH_SIDES).owed
    untold = replace(CLOSED_UNTOLD, revision=f"{CLOSED_UNTOLD.revision}~2")
    assert {NORTH: "10.00 USD"} == run(*ANNA, OPENED, CLOSED, edited, untold, terms=BY_HOLDING).owed


@pytest.mark.parametrize("told_first", [True, False])
def test_a_cancelled_deal_leaves_nothing(told_first: bool) -> None:  # noqa: FBT001
    """Whether the cancellation tells the position or not; and an untold record does not bring it back."""
    gone = replace(CLOSED, kind="cancelled", profit=D(0))
    gone = told_at(gone, "p" if told_first else None)
    for before in (CLOSED, CLOSED_UNTOLD):
        said = run(*ANNA, before, gone, CLOSED_UNTOLD, CLOSED, told_at(gone, None), terms=BOTH_SIDES)
        assert {} == said.owed


def test_a_service_deal_stays_one() -> None:
    """A report cannot tell that nobody asked for it; whichever comes first, it pays nothing."""
    service = told_at(replace(CLOSED, is_service=True, reason="rollover"), "p")
    for order in ((service, CLOSED_UNTOLD), (CLOSED_UNTOLD, service), (CLOSED_UNTOLD, CLOSED, service)):
        assert {} == run(*ANNA, *order, terms=BOTH_SIDES).owed


def test_a_service_deal_that_becomes_a_trade_takes_its_place() -> None:
    """An opening that was no client's is one after all: the closing of it, which waited, is paid."""
    service = told_at(replace(OPENED, is_service=True, reason="rollover"), "p")
    trade = replace(OPENED, revision="edited")
    said = run(*ANNA, service, CLOSED, trade, terms=BY_HOLDING)
    assert {NORTH: "10.00 USD"} == said.owed


# Waiting for other things


def test_deals_that_wait_for_the_client_are_placed_as_well() -> None:
    """Told and untold records wait for the registration; the position stays known in either order."""
    for order in ((OPENED, CLOSED, CLOSED_UNTOLD), (OPENED_UNTOLD, CLOSED_UNTOLD, CLOSED, OPENED)):
        said = run(linked("1 anna"), *order, registered("anna ib-north"), terms=BY_HOLDING)
        assert ({NORTH: "10.00 USD"}, 1) == (said.owed, accruals(said))


def test_a_placed_deal_of_an_unknown_symbol_waits_on() -> None:
    """The symbol is told last: 2 x 5 for the closing, by its opening."""
    gold = [told_at(replace(one, symbol="SILVER"), one.position_id) for one in (OPENED, CLOSED)]
    silver = replace(SYMBOLS[0], symbol="SILVER", canonical="SILVER")
    untold = [told_at(one, None) for one in gold]
    said = run(*ANNA, *untold, *gold, silver, terms=BY_HOLDING)
    assert ({NORTH: "10.00 USD"}, 1) == (said.owed, accruals(said))


def test_an_untold_closing_counts_towards_a_cpa_once_its_holding_is_known() -> None:
    """A CPA asks for an hour of holding, the plan for none: told, the two hours bring 100 beside the 10."""
    amounts = (CpaAmount(amount=D(100)),)
    held = Cpa(name="cpa", amounts=amounts, min_lots=D(1), min_holding_s=3600)
    terms = world(per_lot("*=5"), held)
    ready = (kyc("anna approved", day=1), deposit("anna d1 500 USD", day=2))
    untold = run(*ANNA, *ready, OPENED_UNTOLD, CLOSED_UNTOLD, terms=terms)
    assert {NORTH: "10.00 USD"} == untold.owed
    for later in ((OPENED, CLOSED), (CLOSED, OPENED)):
        said = run(*ANNA, *ready, OPENED_UNTOLD, CLOSED_UNTOLD, *later, terms=terms)
        assert {NORTH: "110.00 USD"} == said.owed


def test_volume_counts_once_towards_a_later_charge() -> None:
    """2 untold lots of EURUSD, then placed, and 1 of gold: 6 of a charge of 9, shared by half."""
    share = CommissionShare(name="charges", rates=rates("EURUSD=0.5"), charges=True)
    charge = deal("9 buy 0 EURUSD out", day=4, kind="commission", profit=D(-9))
    gold = deal("8 sell 1 XAUUSD out")
    said = run(*ANNA, CLOSED_UNTOLD, CLOSED, gold, charge, terms=world(share))
    assert {NORTH: "3.00 USD"} == said.owed


# What others keep of it


def test_hedged_volume_knows_the_placed_deal() -> None:
    """2 bought, 3 sold before it: max(2, 3) x 4 = 12; the placed deal keeps its told revision."""
    bought = told_at(deal("1 buy 2 EURUSD in", day=3), "p")
    sold = told_at(deal("2 sell 3 EURUSD in", day=2), "q")
    pipeline, outputs = _pipeline((period("2026-09"), *world(per_lot("*=4", entry="in", hedged=True))))
    outputs += pipeline.feed([*ANNA, told_at(bought, None), bought, sold])
    assert {NORTH: "12.00 USD"} == told(outputs).owed
    assert [] == list(pipeline.feed([bought, told_at(bought, None)]))
    assert {NORTH: "12.00 USD"} == told([*outputs, *pipeline.feed([sold])]).owed


def test_close_bys_know_the_placed_leg() -> None:
    """Legs 9 and 10 of a lot at 5: 10 by the first, whichever was placed; told again, nothing moves."""
    legs = [told_at(deal(f"{n} {side} 1 EURUSD out_by"), f"p{n}") for n, side in ((9, "sell"), (10, "buy"))]
    pipeline, outputs = _pipeline(world(per_lot("*=5", close_by="first_leg")))
    outputs += pipeline.feed([*ANNA, told_at(legs[1], None), legs[1], legs[0]])
    assert {NORTH: "10.00 USD"} == told(outputs).owed
    assert [] == list(pipeline.feed([*legs, told_at(legs[1], None)]))


def _pipeline(terms: tuple[Record, ...]) -> tuple[LocalPipeline, list[Record]]:
    pipeline = LocalPipeline()
    return pipeline, list(pipeline.feed(terms))


# Later


def test_an_untold_record_can_be_rated_again_by_approval() -> None:
    """The archive's newest record tells no position: it is the deal whose position is known all the same."""
    six = replace(plan("own USD", per_lot("*=6"), version=2), since=at(1))
    said = run(*ANNA, OPENED, CLOSED, CLOSED_UNTOLD, six, again(CLOSED_UNTOLD), terms=world(per_lot("*=5")))
    assert {NORTH: "12.00 USD"} == said.owed


def test_an_untold_deal_can_be_rated_again_by_approval() -> None:
    """Without its position: 2 x 5 become 2 x 6."""
    six = replace(plan("own USD", per_lot("*=6"), version=2), since=at(1))
    said = run(*ANNA, CLOSED_UNTOLD, six, again(CLOSED_UNTOLD), terms=world(per_lot("*=5")))
    assert {NORTH: "12.00 USD"} == said.owed


def test_the_explanation_says_that_the_position_was_not_told() -> None:
    """By the record that does not tell it and by the one that does later; and of which the words are."""
    needs_none = "Nothing that was earned asks for an opening: its position had not been given."
    terms = world(per_lot("*=5"))
    untold = run(*ANNA, CLOSED_UNTOLD, terms=terms)
    for known in (CLOSED_UNTOLD, CLOSED):
        assert needs_none in why(untold, "accrual", known).sentences
    told_first = why(run(*ANNA, OPENED, CLOSED, terms=terms), "accrual", CLOSED_UNTOLD).sentences
    assert any("a record without the position" in sentence for sentence in told_first)
    plain = why(run(*ANNA, OPENED, CLOSED, terms=terms), "accrual", CLOSED).sentences
    assert not any("position" in sentence for sentence in plain)
    facts = {fact.name: fact.value for fact in why(untold, "accrual", CLOSED_UNTOLD).inputs}
    assert facts["Position"] == "not given by its source"
