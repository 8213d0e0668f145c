"""What one deal or position may grow to: each bound is driven past, and the money stays right."""

from decimal import localcontext

from msgspec.structs import replace

from commission.books import client as client_book
from commission.client import keys
from commission.client.positions import MAX_FILLS
from commission.client.revisions import RECENT_REVISIONS
from commission.draft import Draft
from commission.events import LOT_E8, Deal, RoutedDeal
from commission.ledger import balances
from commission.money import EXACT
from commission.outputs import Transfer
from commission.terms.catalog import Terms
from tests.build import SYMBOLS, D, at, deal, partner, per_lot, plan, registered

NORTH = ("ib:ib-north:pending", "USD")
TERMS = Terms().learn([*SYMBOLS, plan("own USD", per_lot("*=5")), partner("ib-north USD own")])


class Book:
    """A client book by itself, with its state in sight."""

    def __init__(self) -> None:
        self.state: dict[str, object] = {}
        self.transfers: list[Transfer] = []
        self._apply(registered("anna ib-north"))

    def deal(self, record: Deal) -> int:
        """Fold one record of Anna's; how many keys it wrote."""
        return self._apply(RoutedDeal(client_id="anna", deal=record))

    def _apply(self, record: object) -> int:
        draft = Draft.over(self.state)
        with localcontext(EXACT):
            client_book.apply(draft, record, TERMS)  # type: ignore[arg-type] # a record of the book
        self.state |= draft.writes
        self.transfers += [row for row in draft.outputs if isinstance(row, Transfer)]
        return len(draft.writes)

    @property
    def owed(self) -> object:
        """What ib-north has."""
        return balances(self.transfers).get(NORTH, D(0))


def test_a_thousand_edits_of_a_deal_are_all_remembered() -> None:
    """Each edit has its own lots, the last 10: 10 x 5 = 50. None of the old ones brings itself back."""
    book = Book()
    edits = [deal(f"1 sell {n % 97 + 1} EURUSD out", revision=f"{n:016x}") for n in range(1_000)]
    edits.append(deal("1 sell 10 EURUSD out", revision="last"))
    for edit in edits:
        book.deal(edit)
    assert D(50) == book.owed
    for old in edits:
        assert 0 == book.deal(old)
    assert D(50) == book.owed
    state = book.state[keys.deal("anna", "live|1")]
    assert RECENT_REVISIONS == len(state.replaced)  # type: ignore[attr-defined] # a DealState
    old_keys = [key for key in book.state if key.startswith("r:")]
    assert 1_000 - RECENT_REVISIONS == len(old_keys)


def test_an_old_revision_of_a_service_deal_stays_old() -> None:
    """The poorer record of it, `0` for `0s`, is not taken up again after twenty edits either: 3 x 5."""
    book = Book()
    book.deal(deal("1 sell 2 EURUSD out", revision="0s"))
    for n in range(1, 21):
        book.deal(deal("1 sell 3 EURUSD out", revision=str(n)))
    assert 0 == book.deal(deal("1 sell 2 EURUSD out", revision="0"))
    assert D(15) == book.owed


def test_a_position_of_thousands_of_deals_stays_within_its_bound() -> None:
    """600 lots opened and closed one by one, then 1,500 opened: 600 x 5, and 1,500 are open."""
    book = Book()
    for n in range(600):
        for number, side, entry in ((2 * n, "buy", "in"), (2 * n + 1, "sell", "out")):
            text = f"{number} {side} 1 EURUSD {entry}"
            book.deal(deal(text, position_id="p", occurred_at=at(3 + n, number % 2)))
    assert D(3_000) == book.owed
    opening = deal("9000 buy 1 EURUSD in", position_id="p")
    for n in range(1_500):
        book.deal(replace(opening, deal_id=f"{9_000 + n}", occurred_at=at(1_100 + n)))
    position = book.state[keys.position("anna", opening)]
    assert len(position.fills) <= MAX_FILLS  # type: ignore[attr-defined] # a Position
    assert 1_500 * LOT_E8 == position.net_e8  # type: ignore[attr-defined]
