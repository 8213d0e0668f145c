"""An amount in the currency an IB is paid in."""

from datetime import datetime
from decimal import Decimal

from commission.money import to_accrual
from commission.rating.values import Reason
from commission.terms.catalog import RATE_MAX_AGE, Terms


def in_currency(
    amount: Decimal, source: str, target: str, at: datetime, terms: Terms
) -> tuple[Decimal, str] | Reason:
    """Convert once, by the rate as of `at`, to 8 decimals; with the rate's origin for the record."""
    if source == target:
        return to_accrual(amount), ""
    found = terms.convert(source, target, at)
    if found is None:
        return no_rate(source, target, at)
    return to_accrual(found.of(amount)), found.path


def no_rate(source: str, target: str, at: datetime) -> Reason:
    """The terms have no rate of exchange for that time."""
    text = (
        f"no rate from {source} to {target} at {at:%Y-%m-%d}, nor one at most {RATE_MAX_AGE.days} days older"
    )
    return Reason("no_rate", f"{text}; add one to rates.yaml", waits=True)
