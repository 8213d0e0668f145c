"""How old what an IB owes is: of closed statements below zero, the oldest debt is worked off first."""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from commission.rating.values import ZERO

LIMITS = (30, 60, 90)
"""Days; a debt is in the first part that it is not older than, or in the last one."""


class Closed(NamedTuple):
    """Where a statement left the balance, and how many days ago its period ended."""

    days: int
    closing: Decimal


class Aged(NamedTuple):
    """What is owed: by age, one part more than there are limits; the oldest part's days."""

    parts: tuple[Decimal, ...]
    oldest_days: int

    @property
    def total(self) -> Decimal:
        """All of it."""
        return sum(self.parts, ZERO)


def aged(closings: Iterable[Closed]) -> Aged:
    """Age what the newest statement leaves below zero, by all of an IB and currency, oldest first."""
    debts: list[Closed] = []
    before = ZERO
    for one in closings:
        owed = max(-one.closing, ZERO)
        if owed > before:
            debts.append(Closed(one.days, owed - before))
        else:
            debts = _worked_off(debts, before - owed)
        before = owed
    parts = [ZERO] * (len(LIMITS) + 1)
    for days, amount in debts:
        parts[sum(days > limit for limit in LIMITS)] += amount
    return Aged(tuple(parts), debts[0].days if debts else 0)


def _worked_off(debts: list[Closed], amount: Decimal) -> list[Closed]:
    left = []
    for days, debt in debts:
        taken = min(debt, amount)
        amount -= taken
        if debt > taken:
            left.append(Closed(days, debt - taken))
    return left
