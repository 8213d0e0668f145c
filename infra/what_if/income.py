"""What a broker earns of deals, to set beside what IBs are paid."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, localcontext
from typing import NamedTuple

from commission.client.revisions import ENDINGS
from commission.events import Deal, DealMoved, RoutedDeal, is_seen
from commission.money import EXACT
from commission.rating.components.spread_share import measured_at
from commission.rating.values import Part
from commission.terms.catalog import Terms
from commission.terms.rate_matching import Trait

ZERO = Decimal(0)


@dataclass(slots=True)
class Income:
    """What deals brought the broker."""

    charged: Decimal = ZERO
    spread: Decimal = ZERO
    spread_unknown: int = 0
    unconverted: int = 0
    deals: int = 0


def convert(amount: Decimal, source: str, target: str, at: datetime, terms: Terms) -> Decimal | None:
    """An amount at the rate known at a time; None if there was none."""
    if source == target or not amount:
        return amount
    found = terms.convert(source, target, at)
    return None if found is None else found.of(amount)


class DealIncome(NamedTuple):
    """What the newest revision of a deal brought; None where it is not known."""

    at: datetime
    charged: Decimal | None
    spread: Decimal | None
    is_spread_unknown: bool


class DealIncomes:
    """Every deal's income once, by its newest revision, in one currency."""

    def __init__(self, currency: str) -> None:
        self._currency = currency
        self._brought: dict[str, DealIncome] = {}
        self._revisions: dict[str, tuple[str, ...]] = {}
        self._numbers: dict[str, int] = {}
        """Of deals of accounts with several owners, that of the newest record."""

    def see(self, record: RoutedDeal | DealMoved, terms: Terms) -> None:
        """Take a deal in, or let it go; an older revision that comes again changes nothing."""
        deal, key = record.deal, record.deal.deal_key
        if isinstance(record, DealMoved):
            self._leave(record)
            return
        seen = self._revisions.get(key, ())
        if is_seen(deal.revision, seen) or "" in seen or record.number < self._numbers.get(key, 0):
            return
        if record.number:
            self._numbers[key] = record.number
        self._revisions[key] = (*seen, deal.revision if deal.kind not in ENDINGS else "")
        with localcontext(EXACT):
            self._brought[key] = self._measure(record, terms)

    def _leave(self, record: DealMoved) -> None:
        """A deal is counted where its new owner is; that may be here, by a record as new as this."""
        key, number = record.deal.deal_key, record.number
        if number > self._numbers.get(key, 0) or record.deal.kind in ENDINGS:
            self._numbers[key] = max(number, self._numbers.get(key, 0))
            self._brought.pop(key, None)

    def _measure(self, record: RoutedDeal, terms: Terms) -> DealIncome:
        deal = record.deal
        at = deal.occurred_at
        if deal.kind == "commission" and not deal.is_service:
            whole = -(deal.profit + deal.commission + deal.fee)
            return DealIncome(at, self._converted(whole, deal.currency, at, terms), ZERO, False)  # noqa: FBT003
        if deal.kind != "trade" or deal.is_service:
            return DealIncome(at, ZERO, ZERO, False)  # noqa: FBT003
        spread, is_unknown = self._spread(record, terms)
        paid = -(deal.commission + deal.fee)
        return DealIncome(at, self._converted(paid, deal.currency, at, terms), spread, is_unknown)

    def _spread(self, record: RoutedDeal, terms: Terms) -> tuple[Decimal | None, bool]:
        """The spread on what the deal closed: a round trip pays it once, and plans measure it there."""
        deal = record.deal
        closed_e8 = _closed_e8(deal)
        symbol = terms.symbol(deal.server, deal.symbol, deal.occurred_at)
        difference = measured_at(deal)
        if not closed_e8:
            return ZERO, False
        if symbol is None or difference is None:
            return ZERO, True
        lots = Decimal(closed_e8).scaleb(-8)
        size = deal.contract_size or symbol.contract_size
        part = Part(deal, symbol, size, ZERO, lots, Trait(record.client_id, deal.account_key, deal.group, ""))
        worth = part.worth(difference, lots)
        return self._converted(worth, symbol.profit_currency, deal.occurred_at, terms), False

    def _converted(self, amount: Decimal, source: str, at: datetime, terms: Terms) -> Decimal | None:
        return convert(amount, source, self._currency, at, terms)

    def times(self) -> Iterable[tuple[str, datetime]]:
        """Every deal's own time."""
        return ((key, brought.at) for key, brought in self._brought.items())

    def income(self, keys: Iterable[str]) -> Income:
        """The sum over some deals."""
        total = Income()
        for key in keys:
            brought = self._brought[key]
            total.deals += 1
            total.spread_unknown += brought.is_spread_unknown
            total.charged += brought.charged or ZERO
            total.spread += brought.spread or ZERO
            total.unconverted += (brought.charged is None) + (brought.spread is None)
        return total


def _closed_e8(deal: Deal) -> int:
    """What the deal closed, as far as it says so itself."""
    if deal.entry in ("out", "out_by"):
        return deal.volume_e8
    return deal.volume_closed_e8 or 0 if deal.entry == "inout" else 0
