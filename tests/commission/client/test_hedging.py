"""Hedged volume: the larger of what was bought and sold, in units of the contract, however many openings."""

from decimal import localcontext
from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from commission.books import client as client_book
from commission.draft import Draft
from commission.events import Deal, RoutedDeal
from commission.ledger import balances
from commission.money import EXACT
from commission.outputs import Transfer
from commission.terms.catalog import Terms
from commission.terms.components import Turnover
from commission.terms.market import SymbolDefined
from tests.build import ANNA, SYMBOLS, D, at, deal, per_lot, rates, registered, run, symbol, told_at
from tests.commission.client.rerated import again
from tests.commission.worlds import world

NORTH = "ib:ib-north:pending"
HEDGED = per_lot("*=4", entry="in", hedged=True)
OUNCES = symbol("XAUUSD metals 100 USD 0.01")
TENTH = replace(OUNCES, contract_size=D(10), since=at(10), rescale=D(10))
"""From 10 September on a lot is 10 ounces, a tenth of a standard lot, and every open lot became 10."""
SHARE = symbol("ACME shares 1 USD 0.01")


def owed(*deals: Deal, symbols: tuple[SymbolDefined, ...] = (), component: Any = HEDGED) -> str:
    """What ib-north has of Anna's deals, in whatever order they come."""
    found = {
        str(run(*ANNA, *order, terms=world(component, extra=symbols)).owed) for order in permutations(deals)
    }
    assert 1 == len(found), found
    return found.pop()


# Lots of several sizes


def test_lots_from_before_a_rescale_are_other_lots() -> None:
    """1 lot of 100 ounces bought, 10 lots of 10 sold: as many ounces, so 1 x 4 is all."""
    deals = deal("1 buy 1 XAUUSD in", day=3), deal("2 sell 10 XAUUSD in", day=12)
    assert str({NORTH: "4.00 USD"}) == owed(*deals, symbols=(OUNCES, TENTH))


def test_what_is_more_is_paid_in_its_own_lots() -> None:
    """100 ounces bought, 150 sold in lots of 10: 4, and 5 of the 15 lots, 0.5 standard lots x 4 = 2."""
    deals = deal("1 buy 1 XAUUSD in", day=3), deal("2 sell 15 XAUUSD in", day=12)
    assert str({NORTH: "6.00 USD"}) == owed(*deals, symbols=(OUNCES, TENTH))


@pytest.mark.parametrize(
    ("cents", "due"),
    [
        ("50", "4.00 USD"),  # 0.5 lots against 1
        ("100", "4.00 USD"),  # as much
        ("250", "10.00 USD"),  # 2.5 against 1
    ],
)
def test_a_cent_lot_hedges_a_hundredth(cents: str, due: str) -> None:
    """A standard lot bought at 4; cent lots sold before or after it count a hundredth each."""
    bought = deal("1 buy 1 EURUSD in", day=3)
    for day in (2, 4):
        assert str({NORTH: due}) == owed(bought, deal(f"2 sell {cents} EURUSDc in", day=day))


def test_a_deal_counts_by_its_own_contract_size() -> None:
    """Its source says a lot was 10,000: 10 of them hedge the lot of 100,000, and 4 is all."""
    deals = deal("1 buy 1 EURUSD in", day=3), deal("2 sell 10 EURUSD in", day=4, contract_size=D(10_000))
    assert str({NORTH: "4.00 USD"}) == owed(*deals)


@pytest.mark.parametrize(("sold", "due"), [("6", "12.00 USD"), ("8", "20.00 USD"), ("5", "12.00 USD")])
def test_shares_from_before_a_split_are_twice_as_many_after_it(sold: str, due: str) -> None:
    """2 for 1: 3 bought are 6. 6 sold hedge them, 3 x 4 = 12; of 8 sold 2 are more, 12 + 2 x 4 = 20."""
    halved = replace(SHARE, since=at(10), rescale=D(2))
    deals = deal("1 buy 3 ACME in", day=3), deal(f"2 sell {sold} ACME in", day=12)
    assert str({NORTH: due}) == owed(*deals, symbols=(SHARE, halved))


def test_thirds_of_a_share_add_up() -> None:
    """3 for 1: 10 bought are 30. Three times 10 sold are as many, each a third of 10: 10 x 4 = 40 is all."""
    thirds = replace(SHARE, since=at(10), rescale=D(3))
    deals = [deal(f"{n} sell 10 ACME in", day=10 + n) for n in (2, 3, 4)]
    said = run(*ANNA, deal("1 buy 10 ACME in", day=3), *deals, terms=world(HEDGED, extra=(SHARE, thirds)))
    assert {NORTH: "40.00 USD"} == said.owed
    assert dict.fromkeys("234", "rejected hedged") == said.reasons


def test_a_sixth_of_a_lot_is_rounded_as_one() -> None:
    """Bought 5 shares, sold a lot of 6, of which one is more: 5 x 3e-8, and 3e-8 / 6 = 0.5e-8, to even 0."""
    component = per_lot("*=0.00000003", entry="in", hedged=True, standardised=False)
    deals = deal("1 buy 5 ACME in", day=3), deal("2 sell 1 ACME in", day=4, contract_size=D(6))
    assert str({NORTH: "0.00000015 USD"}) == owed(*deals, symbols=(SHARE,), component=component)


def test_turnover_is_that_of_the_lots_that_are_paid() -> None:
    """1 lot at 1.1 is 110,000; of 150 cent lots 50 are more, 50 x 1,000 x 1.2 = 60,000: 0.17 x 100 = 17."""
    component = Turnover(name="t", rates=rates("*=100"), unit="million", entry="in", hedged=True)
    euros = replace(SYMBOLS[0], base_currency="EUR"), replace(SYMBOLS[1], base_currency="EUR")
    deals = deal("1 buy 1 EURUSD in", day=3), deal("2 sell 150 EURUSDc in", day=4, price=D("1.2"))
    assert str({NORTH: "17.00 USD"}) == owed(*deals, symbols=euros, component=component)


def test_a_size_corrected_later_counts_once_that_is_approved() -> None:
    """Sold 10 lots, said to be of 100 ounces: 10 x 4 = 40. They were of 10: 1 bought and 10 sold are 4."""
    bought, sold = deal("1 buy 1 XAUUSD in", day=3), deal("2 sell 10 XAUUSD in", day=12)
    before = (*ANNA, bought, sold, TENTH)
    assert {NORTH: "40.00 USD"} == run(*before, terms=world(HEDGED)).owed
    for order in permutations((again(bought), again(sold))):
        said = run(*before, *order, *order, terms=world(HEDGED))
        assert {NORTH: "4.00 USD"} == said.owed


# Accounts that cannot hedge

TURNED = (
    deal("1 buy 2.4 EURUSD in", day=3, position_id="p"),
    deal("2 sell 1.1 EURUSD out", day=4, position_id="p"),
    deal("3 sell 2.5 EURUSD inout", day=5, position_id="p", volume_closed_e8=130_000_000),
    deal("4 buy 0.7 EURUSD out", day=6, position_id="p"),
)
"""One position: 2.4 bought; of what is left, 1.3, all closed and 1.2 sold; 0.7 of that closed."""


def test_an_account_of_one_position_a_symbol_hedges_nothing() -> None:
    """Opened 2.4 and 1.2: 3.6 x 4 = 14.40, which is max(3.1 bought, 3.6 sold) of all its deals."""
    assert str({NORTH: "14.40 USD"}) == owed(*TURNED)


def test_what_it_opened_before_it_turned_round_is_paid_then() -> None:
    """2.4 bought, closed, 1 sold, closed: 9.60, hedged. Then 1 bought turns to 0.5 sold: 4.9 x 4 = 19.60."""
    first = (
        deal("1 buy 2.4 EURUSD in", day=3, position_id="p"),
        deal("2 sell 2.4 EURUSD out", day=4, position_id="p"),
        deal("3 sell 1 EURUSD in", day=5, position_id="q"),
        deal("4 buy 1 EURUSD out", day=6, position_id="q"),
    )
    assert {NORTH: "9.60 USD"} == run(*ANNA, *first, terms=world(HEDGED)).owed
    bought = deal("5 buy 1 EURUSD in", day=7, position_id="r")
    turned = deal("6 sell 1.5 EURUSD inout", day=8, position_id="r", volume_closed_e8=100_000_000)
    assert {NORTH: "19.60 USD"} == run(*ANNA, *first, bought, turned, terms=world(HEDGED)).owed
    gone = replace(turned, kind="cancelled", revision="b")
    # Without it, it is one that may hedge: max(2.4 + 1, 1) x 4.
    assert {NORTH: "13.60 USD"} == run(*ANNA, *first, bought, turned, gone, terms=world(HEDGED)).owed


# However many


class Book:
    """Anna's client book by itself, counting what a deal reads and writes."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}
        self.terms = Terms().learn(world(HEDGED))  # type: ignore[arg-type] # these records are terms
        self.transfers: list[Transfer] = []
        self.reads = self.writes = 0
        self.apply(registered("anna ib-north"))

    def apply(self, record: Any) -> None:
        """Fold one record."""
        self.reads = 0
        draft = Draft(self._load)
        with localcontext(EXACT):
            client_book.apply(draft, record, self.terms)
        self.writes = len(draft.writes)
        self.state |= draft.writes
        self.transfers += [row for row in draft.outputs if isinstance(row, Transfer)]

    def _load(self, key: str) -> Any:
        self.reads += 1
        return self.state.get(key)

    def deal(self, record: Deal) -> None:
        """Fold a deal of hers."""
        self.apply(RoutedDeal(client_id="anna", deal=record))

    @property
    def owed(self) -> Any:
        """What ib-north has."""
        return balances(self.transfers).get((NORTH, "USD"), D(0))


def test_an_opening_costs_the_same_however_many_came_before() -> None:
    """By turns 2 lots bought and 1 sold, 300 times: max(600, 300) x 4. The last costs what the second did."""
    book, costs = Book(), []
    for n in range(600):
        trade = "sell 1" if n % 2 else "buy 2"
        book.deal(deal(f"{n} {trade} EURUSD in", occurred_at=at(3, n)))
        costs.append((book.reads, book.writes))
    assert D(2_400) == book.owed
    assert set(costs[2:]) == set(costs[2:4])


def test_a_late_opening_reads_those_after_it() -> None:
    """200 lots bought, one an hour: 800. A lot sold before the last ten is hedged, and reads ten more."""
    book = Book()
    for n in range(200):
        book.deal(deal(f"{n} buy 1 EURUSD in", occurred_at=at(3, n)))
    in_time, rows = book.reads, len(book.transfers)
    book.deal(deal("900 sell 1 EURUSD in", occurred_at=at(3, 189)))
    assert (D(800), rows) == (book.owed, len(book.transfers))
    assert in_time + 9 <= book.reads <= in_time + 11


def test_an_opening_before_all_moves_what_is_paid() -> None:
    """2 bought, 3 bought: 20. Before both 4 are sold: 4 x 4, of the 2 nothing, of the 3 one: 20."""
    book = Book()
    for text, day in (("1 buy 2 EURUSD in", 4), ("2 buy 3 EURUSD in", 5), ("3 sell 4 EURUSD in", 3)):
        book.deal(deal(text, day=day))
    paid: dict[str, Any] = {}
    for row in book.transfers:
        sign = 1 if row.code == "accrual" else -1
        paid[row.caused_by] = paid.get(row.caused_by, D(0)) + sign * row.amount
    assert {"live|1": D(0), "live|2": D(4), "live|3": D(16)} == paid
    openings = [key for key, value in book.state.items() if key.startswith("g:") and value is not None]
    assert 3 == len(openings)


def test_nothing_is_kept_of_openings_that_were_cancelled() -> None:
    """In any order: what is left is paid as if nothing else had been; then nothing is owed or kept."""
    deals = [deal(f"{n} {side} {n} EURUSD in", day=n) for n, side in ((2, "buy"), (3, "sell"), (5, "buy"))]
    left = {2: D(20), 3: D(28), 5: D(12)}  # max(5, 3) x 4; max(2 + 5, 0) x 4; max(2, 3) x 4
    for order in permutations(deals):
        book = Book()
        for one in deals:
            book.deal(one)
        assert D(28) == book.owed  # max(2 + 5, 3) x 4
        for number, gone in enumerate(order):
            book.deal(replace(gone, kind="cancelled", revision="b"))
            if not number:
                assert left[int(gone.deal_id)] == book.owed
        assert D(0) == book.owed
        assert [] == [key for key, value in book.state.items() if key[0] in "gh" and value is not None]


def test_an_edited_opening_takes_its_new_place() -> None:
    """2 bought on day 3, 3 sold on day 4: 12. The sale was of 5 lots on day 2: 5 x 4, and no more."""
    bought, sold = deal("1 buy 2 EURUSD in", day=3), deal("2 sell 3 EURUSD in", day=4)
    edited = deal("2 sell 5 EURUSD in", day=2, revision="b")
    said = run(*ANNA, bought, sold, edited, terms=world(HEDGED))
    assert ({NORTH: "20.00 USD"}, "rejected hedged") == (said.owed, said.reasons["1"])


def test_a_placed_opening_is_rated_again_by_its_own_position() -> None:
    """2 bought, placed later, 3 sold before it: max(2, 3) x 4, also once both are rated again."""
    bought = told_at(deal("1 buy 2 EURUSD in", day=3), "p")
    sold = told_at(deal("2 sell 3 EURUSD in", day=2), "q")
    deals = (*ANNA, told_at(bought, None), bought, sold)
    said = run(*deals, again(bought), again(sold), terms=world(HEDGED))
    assert {NORTH: "12.00 USD"} == said.owed
