"""What a proposal changes, in sums that a person reads before deciding."""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from schemas.proposals import Line


class CurrencySum(NamedTuple):
    """What a proposal changes in one currency, over all IBs."""

    currency: str
    ibs: int
    taken_back: Decimal
    given: Decimal
    delta: Decimal
    of_closed: Decimal
    clients: Decimal


def sums_of(lines: Iterable[Line]) -> list[CurrencySum]:
    """The lines of a preview, a sum for each currency."""
    by_currency: dict[str, list[Line]] = {}
    for line in lines:
        by_currency.setdefault(line.currency, []).append(line)
    return [
        CurrencySum(
            currency,
            len(found),
            sum((line.taken_back for line in found), Decimal(0)),
            sum((line.given for line in found), Decimal(0)),
            sum((line.delta for line in found), Decimal(0)),
            sum((line.of_closed for line in found), Decimal(0)),
            sum((line.clients for line in found), Decimal(0)),
        )
        for currency, found in sorted(by_currency.items())
    ]
