"""How an amount is shared up the tree: five override modes as arithmetic on 8-decimal amounts.

Amounts come and go by depth, the lowest IB first. In `cascade` and `split` what is given away adds up
to the base exactly; in `difference` and `rank` to the largest amount on the way up.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from commission.money import EXACT, to_accrual
from commission.rating.exchange import in_currency
from commission.rating.values import ZERO, Reason
from commission.terms.catalog import Terms
from commission.terms.rates import RankRates


def differences(
    amounts: Sequence[Decimal], currencies: Sequence[str], at: datetime, terms: Terms
) -> list[Decimal] | Reason:
    """What each keeps, in its own currency: `max(0, own - largest below)`."""
    first = currencies[0]
    if all(currency == first for currency in currencies):
        return one_currency_differences(amounts)
    kept: list[Decimal] = []
    for depth, amount in enumerate(amounts):
        if amount <= 0:
            kept.append(ZERO)  # needs no rate of exchange to be nothing
            continue
        below = ZERO
        for lower, currency in zip(amounts[:depth], currencies, strict=False):
            if lower <= 0:
                continue  # needs no rate of exchange to be less
            converted = in_currency(lower, currency, currencies[depth], at, terms)
            if isinstance(converted, Reason):
                return converted
            below = max(below, converted[0])
        kept.append(max(ZERO, amount - below))
    return kept


def one_currency_differences(amounts: Sequence[Decimal]) -> list[Decimal]:
    """The same where all amounts are of one currency: they add up to the largest exactly."""
    kept, best = [], ZERO
    for amount in amounts:
        if amount > best:
            kept.append(amount - best)
            best = amount
        else:
            kept.append(ZERO)
    return kept


def cascade(base: Decimal, pass_up: Sequence[Decimal], holders: int) -> list[Decimal]:
    """Each passes a share of what reached it on; the top keeps the rest. Adds up to `base`."""
    kept, reached = [], base
    for depth in range(holders - 1):
        passed = to_accrual(EXACT.multiply(reached, pass_up[min(depth, len(pass_up) - 1)]))
        kept.append(reached - passed)
        reached = passed
    return [*kept, reached]


def cascade_amounts(base: Decimal, passed_up: Sequence[Decimal], holders: int) -> list[Decimal]:
    """The same with fixed amounts to pass on, at most what is there; of a loss all are below 0."""
    kept, reached = [], base
    for depth in range(holders - 1):
        passed = min(reached, passed_up[min(depth, len(passed_up) - 1)], key=abs)
        kept.append(reached - passed)
        reached = passed
    return [*kept, reached]


def split(base: Decimal, shares: Sequence[Decimal], holders: int) -> list[Decimal]:
    """Each depth has its share; what nobody holds, and rounding, stays with the lowest."""
    above = [to_accrual(EXACT.multiply(base, share)) for share in shares[1:holders]]
    above += [ZERO] * (holders - 1 - len(above))
    return [base - sum(above, ZERO), *above]


def steps_taken(ranks: Sequence[RankRates], held: Sequence[str]) -> list[tuple[int, int]]:
    """By depth, the slice of `ranks` an IB takes: its own and the lower ones nobody below took."""
    order = {rank.rank: number for number, rank in enumerate(ranks, 1)}
    taken, steps = 0, []
    for name in held:
        own = order.get(name, 0)
        steps.append((taken, max(taken, own)))
        taken = max(taken, own)
    return steps
