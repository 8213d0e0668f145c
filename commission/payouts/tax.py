"""What is paid besides, or kept back, of what an IB is owed: one rule an IB, one line of tax a payment."""

from decimal import Decimal
from typing import Final, Literal

from commission.money import EXACT, Money, plain, round_payable
from commission.value import Value

TaxKind = Literal["none", "vat", "reverse_charge", "withholding"]
HUNDRED: Final = Decimal(100)


class Tax(Value):
    """An IB with a rule, be it `none`, is billed by the broker itself: its payments have invoice numbers."""

    kind: TaxKind
    percent: Decimal = Decimal(0)
    """Of what is owed; of `vat` and `withholding` alone."""

    @property
    def label(self) -> str:
        """As a document has it; "" where it has no line."""
        words = {"vat": "VAT", "withholding": "Withholding tax", "reverse_charge": "VAT, reverse charge"}
        rate = f" {plain(self.percent)} %" if self.percent else ""
        return f"{words.get(self.kind, '')}{rate}"

    def of(self, amount: Decimal, currency: str) -> Decimal:
        """What is paid besides; below zero what is kept back; in the digits of the currency, half to even."""
        if self.kind not in ("vat", "withholding"):
            return Decimal(0)
        exact = EXACT.divide(EXACT.multiply(amount, self.percent), HUNDRED)
        rounded = round_payable(Money(exact, currency))[0].amount
        return rounded if self.kind == "vat" else -rounded

    def why_not(self) -> str:
        """Why there can be no such rule; "" if there can."""
        if self.kind not in ("vat", "withholding"):
            return f"{self.kind} has no percentage" if self.percent else ""
        is_possible = self.percent.is_finite() and 0 < self.percent < HUNDRED
        return "" if is_possible else f"{self.kind} has a percentage above 0 and below 100"
