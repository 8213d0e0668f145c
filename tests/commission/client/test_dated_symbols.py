"""Symbols have versions: a deal counts by the size of its own day, and positions keep what they are worth."""

from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from commission.books import client as client_book
from commission.client import keys
from commission.client.fills import Fill, Position
from commission.client.positions import MAX_FILLS, Rescales, is_flat, net_e8, slices, split_volume, with_fill
from commission.draft import Draft
from commission.events import LOT_E8, Deal, RoutedDeal
from commission.money import EXACT
from commission.terms.catalog import Terms
from commission.terms.checks.check import check_terms
from commission.terms.components import Component, SpreadShare
from commission.terms.market import Rescale, SymbolDefined
from commission.terms.rates import When
from schemas.wire import Record
from streams.in_memory import LocalPipeline
from tests.build import (
    ANNA,
    SERVER,
    D,
    at,
    deal,
    partner,
    per_lot,
    plan,
    rates,
    registered,
    run,
    symbol,
    told,
)
from tests.commission.terms.catalogs import known

NORTH = "ib:ib-north:pending"
OUNCES = symbol("XAUUSD metals 100 USD 0.01")
TENTH = replace(OUNCES, contract_size=D(10), since=at(31))
"""From 1 October on a lot is 10 ounces; a standard lot is what it was."""
SPLIT = replace(TENTH, rescale=D(10))
"""And every open lot became 10."""


def world(*symbols: SymbolDefined, component: Component | None = None) -> tuple[Record, ...]:
    """Ib-north alone, at 10 a standard lot."""
    return (*symbols, plan("own USD", component or per_lot("*=10")), partner("ib-north USD own"))


def opened(lots: str, day: int, **fields: Any) -> Deal:
    """Lots of gold bought into the position `p`."""
    return deal(f"{day}0 buy {lots} XAUUSD in", day=day, position_id="p", price=D(2600), **fields)


def closed(lots: str, day: int, **fields: Any) -> Deal:
    """Lots of gold sold out of it."""
    values = {"position_id": "p", "price": D(2600)} | fields
    return deal(f"{day}1 sell {lots} XAUUSD out", day=day, **values)


# A deal's own day


def test_a_deal_is_rated_by_the_size_of_its_own_day() -> None:
    """1 lot of September is a standard lot, 10 USD; from midnight of 1 October on a tenth of one, 1 USD."""
    for day, owed in ((30, "10.00 USD"), (31, "1.00 USD"), (40, "1.00 USD")):
        said = run(*ANNA, opened("1", 20), closed("1", day), terms=world(OUNCES, TENTH))
        assert {NORTH: owed} == said.owed


def test_a_late_deal_of_the_old_size_counts_by_it() -> None:
    """The new size is learned, then a deal of September arrives: 1 standard lot at 10 all the same."""
    pipeline = LocalPipeline()
    said = told(
        [
            *pipeline.feed(world(OUNCES)),
            *pipeline.feed([*ANNA, TENTH]),
            *pipeline.feed([opened("1", 20), closed("1", 21)]),
        ]
    )
    assert {NORTH: "10.00 USD"} == said.owed


def test_a_version_of_the_same_time_takes_the_place_of_the_one_before() -> None:
    """A symbol without dates keeps its meaning: the newest record counts, for all times."""
    terms = known(OUNCES, replace(OUNCES, contract_size=D(50)), TENTH, replace(TENTH, contract_size=D(20)))
    sizes = [terms.symbol(SERVER, "XAUUSD", at(day)) for day in (1, 31)]
    assert [D(50), D(20)] == [found.contract_size for found in sizes if found is not None]


def test_before_its_first_version_a_symbol_means_nothing_yet() -> None:
    """The deal waits, and is rated once the earlier meaning is published: 1 x 10."""
    said = run(*ANNA, opened("1", 20), closed("1", 21), terms=world(TENTH))
    assert ({}, "waiting unknown_symbol") == (said.owed, said.reasons["211"])
    assert "of 2026-09-21" in said.rejections[-1].text
    later = run(*ANNA, opened("1", 20), closed("1", 21), OUNCES, terms=world(TENTH))
    assert {NORTH: "10.00 USD"} == later.owed


# Open positions that the platform rescaled


HELD = per_lot("*=10", when=When(min_holding_s=3600))


def test_a_closing_after_a_rescale_matches_its_opening() -> None:
    """1 lot of September is 10 of October: all 10 are held long enough, 10 x 0.1 standard lots at 10 = 10."""
    deals = (*ANNA, opened("1", 20), closed("10", 40))
    assert {NORTH: "10.00 USD"} == run(*deals, terms=world(OUNCES, SPLIT, component=HELD)).owed
    waits = run(*deals, terms=world(OUNCES, TENTH, component=HELD))
    assert ({}, "waiting opening_unknown") == (waits.owed, waits.reasons["401"])
    assert {NORTH: "10.00 USD"} == run(*deals, SPLIT, terms=world(OUNCES, TENTH, component=HELD)).owed


def test_a_rescaled_position_that_is_closed_is_forgotten() -> None:
    """1 x 10 - 10 = 0: nothing is kept of it, as of any flat position."""
    state: dict[str, object] = {}
    terms = Terms().learn(world(OUNCES, SPLIT))  # type: ignore[arg-type] # these records are terms
    for record in (registered("anna ib-north"), opened("1", 20), closed("10", 40)):
        draft = Draft.over(state)
        with localcontext(EXACT):
            routed = RoutedDeal(client_id="anna", deal=record) if isinstance(record, Deal) else record
            client_book.apply(draft, routed, terms)  # type: ignore[arg-type] # the rest is of the CRM
        state |= draft.writes
        positions = [key for key, value in state.items() if key.startswith("o:") and value is not None]
        is_open = record == opened("1", 20)
        assert ([keys.position("anna", opened("1", 20))] if is_open else []) == positions


def test_an_in_out_after_a_rescale_closes_the_rescaled_volume() -> None:
    """Bought 1, by now 10; sold 13: 10 are closed, a standard lot, and 3 opened: 1 x 10 = 10."""
    turn = deal("9 sell 13 XAUUSD inout", day=40, position_id="p", price=D(2600))
    said = run(*ANNA, opened("1", 20), turn, terms=world(OUNCES, SPLIT))
    assert {NORTH: "10.00 USD"} == said.owed


def test_an_opening_is_worth_the_same_after_a_split_of_shares() -> None:
    """2 for 1: 3 shares at 100 are 6 at 50. Closed at 50 they did not move, at 50.01 by a pip: 6 x 10."""
    share = symbol("ACME shares 1 USD 0.01")
    halved = replace(share, since=at(31), rescale=D(2))
    moved = per_lot("*=10", when=When(min_pips=D(1)))
    for price, owed in (("50", {}), ("50.01", {NORTH: "60.00 USD"})):
        deals = (
            deal("1 buy 3 ACME in", day=20, position_id="p", price=D(100)),
            deal("2 sell 6 ACME out", day=40, position_id="p", price=D(price)),
        )
        assert owed == run(*ANNA, *deals, terms=world(share, halved, component=moved)).owed


def test_the_spread_of_an_opening_is_worth_the_same_after_a_rescale() -> None:
    """0.50 on 100 ounces is 50 USD; as 10 lots of 10 ounces it is as much: a tenth of it is 5."""
    opening = opened("1", 20, bid=D("2599.50"), ask=D("2600.00"))
    component = SpreadShare(name="s", rates=rates("*=0.1"), basis="open")
    said = run(*ANNA, opening, closed("10", 40), terms=world(OUNCES, SPLIT, component=component))
    assert {NORTH: "5.00 USD"} == said.owed


def fills(*volumes: tuple[int, int]) -> Position:
    """A position of (day, lots), bought above 0."""
    return Position(
        tuple(
            Fill(at(day), str(number), lots * LOT_E8, D(1), opens=lots > 0)
            for number, (day, lots) in enumerate(volumes)
        )
    )


def rescales(*steps: tuple[int, str]) -> Rescales:
    """By (day, times the lots); the contract is so many times smaller."""
    return tuple(Rescale(at(day), D(times), D(times), D(times)) for day, times in steps)


def test_a_position_is_rescaled_once_for_each_time_between_its_deals() -> None:
    """2, doubled 4, and 3 more: 7, tripled 21; a deal at the instant itself is in the new lots."""
    twice = rescales((5, "2"), (9, "3"))
    assert 21 * LOT_E8 == net_e8(fills((3, 2), (5, 3)), twice, at(9))
    assert 7 * LOT_E8 == net_e8(fills((3, 2), (5, 3)), twice, at(8))
    assert is_flat(fills((3, 2), (10, -12)), twice)
    assert is_flat(Position(), twice)
    deal_in_new_lots = deal("5 sell 15 XAUUSD inout", day=9)
    assert (9 * LOT_E8, 6 * LOT_E8) == split_volume(fills((3, 1)), deal_in_new_lots, twice)


@given(
    volumes=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    factors=st.lists(st.sampled_from(("2", "5", "10", "0.1")), max_size=3),
)
def test_a_rescale_keeps_what_a_position_is_worth(volumes: list[int], factors: list[str]) -> None:
    """Lots x price of all openings together is what it was, with the contract as it is by then."""
    steps = tuple(
        Rescale(at(10 + number), D(factor), D(1), D(factor)) for number, factor in enumerate(factors)
    )
    position = fills(*((3, lots) for lots in volumes))
    total = net_e8(position, steps, at(30))
    closing = Fill(at(30), "closing", -total, opens=False)
    found = slices(with_fill(position, closing, steps), "closing", total, steps)
    assert found is not None
    worth = sum((one.lots * one.price for one in found if one.price is not None), Decimal())
    assert sum(volumes) == worth


def test_added_up_openings_are_rescaled_once() -> None:
    """600 openings of a lot each, doubled half way: 300 x 2 + 300 are open, however many are remembered."""
    doubled = rescales((10, "2"))
    position = Position()
    for number in range(600):
        day = 5 if number < 300 else 12
        position = with_fill(position, Fill(at(day), f"{number:04}", LOT_E8, D(1)), doubled)
    assert len(position.fills) <= MAX_FILLS
    assert 900 * LOT_E8 == net_e8(position, doubled, at(12))
    closing = Fill(at(13), "z", -900 * LOT_E8, opens=False)
    found = slices(with_fill(position, closing, doubled), "z", 900 * LOT_E8, doubled)
    assert found is not None
    assert D(900) == sum(one.lots for one in found)


@pytest.mark.parametrize("lots", ["0", "-1"])
def test_a_rescale_is_above_zero(lots: str) -> None:
    """Nothing would be left of the position."""
    found = check_terms([OUNCES, replace(SPLIT, rescale=D(lots))])
    assert ["bad_size"] == [problem.code for problem in found]


def test_a_rescale_needs_a_version_before_it() -> None:
    """Alone, or without a time, it changes nothing; after one without a time it is sound."""
    for symbols in ([SPLIT], [replace(OUNCES, rescale=D(2))], [replace(OUNCES, since=at(40)), SPLIT]):
        assert ["bad_rescale"] == [problem.code for problem in check_terms(symbols)]
    assert () == check_terms([OUNCES, SPLIT])


def test_who_closes_says_which_symbol_a_position_is_of() -> None:
    """Gold was split into tenths: of a lot 10 are open, 1 standard lot, 10 USD, and the opening is known.

    Opened in the name of the euro, which was not split, it is the same by the closing; a closing in the
    name of the euro closes 10 of 1, and waits for the opening of the rest.
    """
    held = per_lot("*=10", when=When(min_holding_s=60))
    terms = (*world(OUNCES, SPLIT, component=held), symbol("EURUSD forex 100000 USD 0.0001"))
    misnamed = replace(opened("1", 20), symbol="EURUSD")
    for first in (opened("1", 20), misnamed):
        assert {NORTH: "10.00 USD"} == run(*ANNA, first, closed("10", 40), terms=terms).owed
    assert {NORTH: "10.00 USD"} == run(*ANNA, closed("10", 40), misnamed, terms=terms).owed
    wrong = replace(closed("10", 40), symbol="EURUSD")
    said = run(*ANNA, opened("1", 20), wrong, terms=terms)
    assert ({}, "waiting opening_unknown") == (said.owed, said.reasons["401"])
    edited = replace(closed("10", 40), revision="b")
    assert {NORTH: "10.00 USD"} == run(*ANNA, misnamed, wrong, edited, terms=terms).owed
