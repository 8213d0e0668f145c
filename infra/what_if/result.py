"""What a what-if gives."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple


class Window(NamedTuple):
    """Deals of [since, until), by their own time; None is open."""

    since: datetime | None = None
    until: datetime | None = None

    def __contains__(self, at: object) -> bool:
        assert isinstance(at, datetime)
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True)
class Line:
    """What one IB, country, symbol or plan cost the broker, and would have cost."""

    name: str
    currency: str
    before: Decimal
    after: Decimal

    @property
    def difference(self) -> Decimal:
        """More, or less, than it was."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Move:
    """Deals whose fate would be another: `rated`, or `rejected` or `waiting` with the reason's code."""

    before: str
    after: str
    deals: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """The history under two sets of terms. Totals are in `currency`, lines each in their own."""

    currency: str
    since: datetime | None
    until: datetime | None
    deals: int
    messages: int
    by: dict[str, tuple[Line, ...]]
    """`ib`, `country`, `symbol`, `plan` → lines, the largest first."""
    charged: Decimal
    """Commission and fees the clients were charged."""
    spread: Decimal
    """Spread on closed lots, of deals that tell bid and ask."""
    spread_unknown: int
    """Deals that closed something and have no bid and ask, so that no spread of theirs is in it."""
    cost_before: Decimal
    cost_after: Decimal
    unconverted: int
    """Amounts left out of the totals: no rate of exchange was known for their time."""
    fates: dict[str, dict[str, int]]
    """`before` and `after` → fate → deals."""
    moves: tuple[Move, ...]
    seconds: float = field(compare=False)

    @property
    def income(self) -> Decimal:
        """What the broker took: charges and spread."""
        return self.charged + self.spread

    @property
    def margins(self) -> tuple[Decimal, Decimal]:
        """Income less commission, before and after."""
        return self.income - self.cost_before, self.income - self.cost_after

    @property
    def changed_ibs(self) -> list[Line]:
        """IBs that would have earned something else: winners first."""
        lines = [line for line in self.by["ib"] if line.difference]
        return sorted(lines, key=lambda line: (-line.difference, line.name))
