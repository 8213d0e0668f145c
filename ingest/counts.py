"""What one reading found, counted for the person who started it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar

from commission.events import LOT_E8, Deal
from ingest.named_ibs import NamedIbs
from ingest.notes import MAX_EXAMPLES, MAX_NOTES, Note
from ingest.source_items import Item
from schemas.dead_letters import DeadLetter

_Item = TypeVar("_Item", bound=Item)

MAX_REASONS_TOLD = 50
"""The platforms have some thirty; a file whose columns are shifted may have one a row."""


@dataclass(slots=True)
class Sums:
    """Volume and amounts of the trades in one currency."""

    volume_e8: int = 0
    profit: Decimal = Decimal(0)
    commission: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)
    swap: Decimal = Decimal(0)

    def add(self, deal: Deal) -> None:
        """Add one trade."""
        self.volume_e8 += deal.volume_e8
        self.profit += deal.profit
        self.commission += deal.commission
        self.fee += deal.fee
        self.swap += deal.swap


@dataclass(slots=True)
class Counts:
    """A summary that grows while a source is read.

    Every row is in a deal, an event, a dead letter or `skipped`; one MT4 ticket is an opening and a
    closing deal.
    """

    rows: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    deals: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    dead_letters: Counter[str] = field(default_factory=Counter)
    quotes: Counter[str] = field(default_factory=Counter)
    """Trades without bid and ask that found a quote beside them, or none."""
    hand_edits: Counter[str] = field(default_factory=Counter)
    """Deals that somebody edited on the platform, by whose hand: their price and volume want an audit."""
    trades: dict[str, Sums] = field(default_factory=dict)
    cash: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    """Amounts of cash operations by kind and currency."""
    remarks: list[str] = field(default_factory=list)
    """What a person should know of how a file was read."""
    balance_steps: int = 0
    """Balances that were compared with the one before and the amounts between."""
    balance_breaks: list[str] = field(default_factory=list)
    """Where a balance does not follow from the one before."""

    notes: dict[str, Note] = field(default_factory=dict)
    """What is to be said of deals that are read all the same, with the deals."""
    ibs: NamedIbs | None = None
    """IBs that events name; None where the terms are not at hand."""

    def note(self, text: str, example: str) -> None:
        """Say something of a deal, together with all others of which the same is said."""
        if text in self.notes or len(self.notes) < MAX_NOTES:
            self.notes.setdefault(text, Note()).add(example)

    def add(self, item: Item) -> None:
        """Count one item of a source."""
        if isinstance(item, Deal):
            self._add_deal(item)
        elif isinstance(item, DeadLetter):
            self.dead_letters[item.code] += 1
        else:
            self.events[item.type] += 1
            if self.ibs is not None:
                self.ibs.add(item)

    def _add_deal(self, deal: Deal) -> None:
        self.deals[deal.kind] += 1
        if deal.reason:
            self.add_reason(deal.reason)
        if deal.kind == "trade":
            self.trades.setdefault(deal.currency, Sums()).add(deal)
        else:
            key = (deal.kind, deal.currency)
            self.cash[key] = self.cash.get(key, Decimal(0)) + deal.profit

    def add_reason(self, reason: str, deals: int = 1) -> None:
        """Count deals of a reason; beyond what the platforms have, they are of others."""
        is_named = reason in self.reasons or len(self.reasons) < MAX_REASONS_TOLD
        self.reasons[reason if is_named else "other"] += deals

    def lines(self) -> list[str]:
        """Say it in lines for a terminal."""
        told = [f"rows read: {self.rows:,}"]
        named = (
            ("deals", self.deals),
            ("events", self.events),
            ("reasons", self.reasons),
            ("skipped", self.skipped),
            ("quotes", self.quotes),
            ("dead letters", self.dead_letters),
            ("edited by hand on the platform", self.hand_edits),
        )
        told += [f"{name}: {_listed(counter)}" for name, counter in named if counter]
        for currency, sums in sorted(self.trades.items()):
            told.append(
                f"trades in {currency}: {to_lots(sums.volume_e8):f} lots, profit {sums.profit:f},"
                f" commission {sums.commission:f}, fee {sums.fee:f}, swap {sums.swap:f}"
            )
        told += [
            f"{kind} in {currency}: {amount:f}" for (kind, currency), amount in sorted(self.cash.items())
        ]
        told += [f"deals {text}: {note}" for text, note in self.notes.items()]
        told += self._balance_lines() + [f"note: {remark}" for remark in dict.fromkeys(self.remarks)]
        return told + (self.ibs.lines() if self.ibs is not None else [])

    def _balance_lines(self) -> list[str]:
        if not self.balance_steps:
            return []
        broken, more = len(self.balance_breaks), len(self.balance_breaks) - MAX_EXAMPLES
        told = [f"balances: {self.balance_steps:,} checked, {broken:,} do not follow from the one before"]
        told += [f"  {where}" for where in self.balance_breaks[:MAX_EXAMPLES]]
        return told + ([f"  and {more:,} more"] if more > 0 else [])


def counted(items: Iterable[_Item], counts: Counts) -> Iterator[_Item]:
    """Pass items on, counting each."""
    for item in items:
        counts.add(item)
        yield item


def to_lots(volume_e8: int) -> Decimal:
    """Lots of a volume in 1e-8 lots, without trailing zeros."""
    lots = Decimal(volume_e8) / LOT_E8
    return lots.quantize(Decimal(1)) if lots == lots.to_integral_value() else lots.normalize()


def _listed(counter: Counter[str]) -> str:
    most_first = sorted(counter.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{number:,} {word}" for word, number in most_first)
