"""What tallies measure, added up: one arithmetic for both books."""

from collections.abc import Iterable
from decimal import Decimal
from functools import reduce
from operator import add

from commission.value import Value

ZERO = Decimal(0)


class Sums(Value):
    """Measures added up. `+` and `-` go band by band; where one has fewer, its last amount counts on."""

    amounts: tuple[Decimal, ...] = ()
    """By the component's own rates, then by each band's."""
    lots: Decimal = ZERO
    notional: Decimal = ZERO
    count: int = 0
    deposited: int = 0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            amounts=_added(self.amounts, other.amounts),
            lots=self.lots + other.lots or ZERO,  # the very zero that is left out of the state
            notional=self.notional + other.notional or ZERO,
            count=self.count + other.count,
            deposited=self.deposited + other.deposited,
        )

    def __neg__(self) -> "Sums":
        return Sums(
            amounts=tuple(-amount for amount in self.amounts),
            lots=-self.lots or ZERO,
            notional=-self.notional or ZERO,
            count=-self.count,
            deposited=-self.deposited,
        )

    def __sub__(self, other: "Sums") -> "Sums":
        return self + -other

    @property
    def is_zero(self) -> bool:
        """Whether they add nothing."""
        return not (any(self.amounts) or self.lots or self.notional or self.count or self.deposited)

    def at(self, band: int) -> Decimal:
        """The amount at a band; with fewer amounts the last counts for higher bands."""
        return self.amounts[min(band, len(self.amounts) - 1)] if self.amounts else ZERO


def total(parts: Iterable[Sums]) -> Sums:
    """All of them together."""
    return reduce(add, parts, NOTHING)


def _added(one: tuple[Decimal, ...], other: tuple[Decimal, ...]) -> tuple[Decimal, ...]:
    size = max(len(one), len(other))
    return tuple(a + b for a, b in zip(_padded(one, size), _padded(other, size), strict=True))


def _padded(amounts: tuple[Decimal, ...], size: int) -> tuple[Decimal, ...]:
    last = amounts[-1] if amounts else ZERO
    return (*amounts, *(last for _ in range(size - len(amounts))))


NOTHING = Sums()
