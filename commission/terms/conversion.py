"""A rate of exchange as it is applied: multiplied first and divided last."""

from dataclasses import dataclass
from decimal import Decimal

from commission.money import CENT_CURRENCIES, EXACT


@dataclass(frozen=True, slots=True)
class Conversion:
    """One unit of the source is `times / over` of the target; a division is done last, so nothing is lost."""

    times: Decimal
    over: Decimal
    path: str

    @property
    def rate(self) -> Decimal:
        """How many units of the target one unit of the source is worth."""
        return EXACT.divide(self.times, self.over)

    def of(self, amount: Decimal) -> Decimal:
        """The amount in the target currency."""
        return EXACT.divide(EXACT.multiply(amount, self.times), self.over)


def major_of(currency: str) -> tuple[Decimal, str]:
    """How many of which currency one of a cent currency is."""
    major = CENT_CURRENCIES.get(currency)
    return (Decimal("0.01"), major) if major else (Decimal(1), currency)
