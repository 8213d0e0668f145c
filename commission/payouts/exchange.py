"""A payout in another currency than it is owed in: by which rate, and where that came from."""

from decimal import Decimal
from typing import Annotated, Final

from msgspec import Meta

from commission.money import EXACT, Money, round_payable
from commission.value import Text, Time, Value

LARGEST_RATE: Final = Decimal(10) ** 12
"""One unit of a currency is worth no more of another, nor less than its inverse."""


class Exchange(Value):
    """One unit that is owed is `times / over` of `currency`, as published rates had it `at` a moment."""

    currency: Annotated[str, Meta(max_length=64)]
    """What is paid."""
    times: Decimal
    over: Decimal
    path: Text
    """The published rates, each with its day and source."""
    at: Time
    """The moment as of which they were taken."""

    def of(self, amount: Decimal) -> Decimal:
        """What is paid for an amount, in the digits of its currency; half to even."""
        exact = EXACT.divide(EXACT.multiply(amount, self.times), self.over)
        return round_payable(Money(exact, self.currency))[0].amount

    def why_not(self, owed: str) -> str:
        """Why nothing that is owed in a currency is paid by it; "" if it may be."""
        if self.currency == owed:
            return f"{owed} is paid as it is, without a rate"
        if not (self.times > 0 and self.over > 0):
            return "a rate is above zero"
        is_possible = 1 / LARGEST_RATE <= EXACT.divide(self.times, self.over) <= LARGEST_RATE
        return "" if is_possible else "the rate is beyond all that currencies are worth"
