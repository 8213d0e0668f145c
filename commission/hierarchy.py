"""Overrides by difference: an upline IB earns what its own plan pays above the best one below it."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from commission.known import Link, Terms
from commission.money import EXACT, Money, to_accrual
from commission.pricing import Reason


def in_currency(money: Money, currency: str, at: datetime, terms: Terms) -> tuple[Money, str] | Reason:
    """Convert once, by the rate as of `at`, to 8 decimals; with the rate's origin for the record."""
    if money.currency == currency:
        return Money(to_accrual(money.amount), currency), ""
    found = terms.convert(money.currency, currency, at)
    if found is None:
        return Reason(
            "no_rate",
            f"no rate from {money.currency} to {currency} at {at:%Y-%m-%d}, nor one at most 31 days older; "
            "add one to rates.yaml",
            waits=True,
        )
    return Money(to_accrual(EXACT.multiply(money.amount, found.rate)), currency), found.path


def differences(grosses: Sequence[tuple[Link, Money]], at: datetime, terms: Terms) -> list[Decimal] | Reason:
    """What each IB keeps, direct IB first: `max(0, own - largest below)`, in its own currency.

    With one currency the kept amounts add up to the largest gross exactly.
    """
    if all(gross.currency == grosses[0][1].currency for _, gross in grosses):
        return _differences([gross.amount for _, gross in grosses])
    kept: list[Decimal] = []
    for depth, (_, gross) in enumerate(grosses):
        below = Decimal(0)
        for _, lower in grosses[:depth]:
            if lower.amount <= 0:
                continue  # needs no rate of exchange to be less
            converted = in_currency(lower, gross.currency, at, terms)
            if isinstance(converted, Reason):
                return converted
            below = max(below, converted[0].amount)
        kept.append(max(Decimal(0), gross.amount - below))
    return kept


def _differences(amounts: list[Decimal]) -> list[Decimal]:
    kept, best = [], Decimal(0)
    for amount in amounts:
        kept.append(max(Decimal(0), amount - best))
        best = max(best, amount)
    return kept
