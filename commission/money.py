"""Decimal money: one precision for accruals, one named place for rounding, no currency mixed up."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal

EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
"""The context every fold runs in: products of prices, sizes and volumes stay exact."""

ACCRUAL_UNIT = Decimal("0.00000001")
"""Accruals keep 8 decimals: per-deal cents lose or invent money over 100,000 small deals."""

_LAST_UNIT = Decimal(1).scaleb(-30)

MINOR_DIGITS = {
    **dict.fromkeys(("CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("BTC", "ETH", "LTC"), 8),
}
"""Digits of the minor unit where it is not 2 (ISO 4217; crypto as platforms keep it)."""

CENT_CURRENCIES = {"USC": "USD", "EUC": "EUR", "GBC": "GBP"}
"""Currencies of cent accounts: one hundredth of the named one."""


class CurrencyMismatch(ValueError):
    """Two amounts of different currencies met where only one currency can."""


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An amount and its currency; `Money + Money` of another currency raises."""

    amount: Decimal
    currency: str

    def __add__(self, other: "Money") -> "Money":
        self._check(other)
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._check(other)
        return Money(self.amount - other.amount, self.currency)

    def _check(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} cannot be added; convert one first")


def to_accrual(amount: Decimal) -> Decimal:
    """Round to 8 decimals, half to even: the precision of every accrual."""
    return settled(amount).quantize(ACCRUAL_UNIT, context=EXACT)


def settled(amount: Decimal) -> Decimal:
    """Without what a quotient lost in its 60th digit: times its divisor again, it may be a tie."""
    return amount.quantize(_LAST_UNIT, context=EXACT)


def minor_digits(currency: str) -> int:
    """Digits after the point in a payment of `currency`: JPY 0, USD 2, KWD 3, BTC 8."""
    return MINOR_DIGITS.get(currency, 2)


def payable_unit(currency: str) -> Decimal:
    """The least that a payment of `currency` can differ by: JPY 1, USD 0.01."""
    return Decimal(1).scaleb(-minor_digits(currency))


def shown(amount: Decimal, currency: str) -> str:
    """An amount to look at, grouped, in the currency's digits: `1,234.50`; what rounds to 0 has no sign."""
    text = f"{amount:,.{minor_digits(currency)}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.,") else text


def round_payable(money: Money) -> tuple[Money, Money]:
    """Split into what can be paid and the residue; they add up to `money` exactly.

    The only place where money is rounded to a minor unit: half to even.
    """
    unit = payable_unit(money.currency)
    payable = Money(money.amount.quantize(unit, context=EXACT), money.currency)
    return payable, money - payable


def plain(number: Decimal) -> str:
    """The one spelling all equal numbers share, without exponent or trailing zeros: `7.00` is `7`.

    Nothing is remembered: to look a decimal up takes its hash, which is three times this.
    """
    if not number:
        return "0"
    text = str(number)
    if "E" in text:
        text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
