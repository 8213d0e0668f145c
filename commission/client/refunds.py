"""Refunds of charges: which charge a deal refunds, and what that leaves of what the charge earned.

A refund is no earning of its own time: it takes the same part of everything that its charge earned, of the
frozen amounts and before any dispute or verdict takes a share of the rest. So a charge that is refunded
leaves what it would have left had the client never been charged. Which charge that is, the openings tell that
the deal closes; what they do not tell is matched with the account's charges (`refund_matching.py`).
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from msgspec import field
from msgspec.structs import replace

from commission.client.state import ClientState, DealState, Posted, Refund
from commission.client.unknown_terms import lacks_terms
from commission.events import Deal
from commission.money import to_accrual
from commission.outputs import Tally
from commission.rating.components.shares import charged
from commission.rating.rate import rate
from commission.rating.values import ZERO, Earned, Part, Rated, Reason
from commission.terms.catalog import Terms
from commission.terms.components import CommissionShare
from commission.terms.upline import Upline
from commission.value import Value

REFUND = Reason("refund", "it takes back what the charge that it refunds had earned", waits=False)


def refund_unknown(deal: Deal, amount: Decimal) -> Reason:
    """Why a refund, or so much of it, takes nothing."""
    text = (
        f"{amount} {deal.currency} of what it refunds is more than what is left of the account's charges that"
        " are known, so nothing was taken back for that"
    )
    return Reason("refund_unknown", text, waits=False)


class Refunded(NamedTuple):
    """What a deal refunds of another deal's charge, and all of that charge."""

    amount: Decimal
    charge: Decimal


NO_REFUNDS: tuple[Mapping[str, Refunded], Decimal] = ({}, ZERO)


class UnplacedRefund(Value):
    """A refund of which no opening tells the charge, or not of all of it."""

    deal: Deal
    amount: Decimal
    """What no opening tells the charge of."""
    placed: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    """What openings tell: the business key of each, what is refunded of its charge, and that charge."""
    unknown: Decimal = ZERO
    """What is of no charge that is known."""


def asks_of_charges(client: ClientState, terms: Terms) -> bool:
    """Whether some plan shares what the client's deals charge, or one may that is not known yet."""
    return terms.some.shares_charges or lacks_terms(client, terms)


def is_refund(deal: Deal) -> bool:
    """Whether the deal gives the client back what another was charged."""
    return deal.commission + deal.fee > 0


def charge_on(deal: Deal) -> Decimal:
    """What a trade charges the client."""
    return max(ZERO, -(deal.commission + deal.fee))


def refunds_of(deal: Deal, part: Part | None) -> tuple[Mapping[str, Refunded], Decimal]:
    """What a refund takes of the charges of the openings it closes, the oldest first, and of others.

    By the business key of each opening; one that was added up with others has none.
    """
    rest = deal.commission + deal.fee
    found: dict[str, Refunded] = {}
    if part is None:
        return found, rest
    left = -charged(part)
    for closed in part.slices or ():
        amount = min(left, closed.charged)
        if amount > 0 and closed.opening:
            found[closed.opening] = Refunded(amount, closed.charge)
            left -= amount
    return found, rest - sum((one.amount for one in found.values()), ZERO)


def with_uncharged(rated: Rated, part: Part, upline: Upline, terms: Terms) -> Rated:
    """The same with what each amount would be without the charge, where a refund has to know that."""
    charge = charged(part) if terms.some.shares_charges else ZERO
    if charge <= 0 or upline.is_simple or not (_has_budget(upline) or upline.rebates):
        return rated
    free = rate(part._replace(refunded=-charge, measures={}), upline, terms)
    without = {} if isinstance(free, Reason) else {_place(one): one.amount for one in free.earned}
    earned = []
    for one in rated.earned:
        uncharged = without.get(_place(one), ZERO)
        is_usual = uncharged == (ZERO if one.kind == "commission_share" else one.amount)
        earned.append(one if is_usual else one._replace(uncharged=uncharged))
    return rated._replace(earned=tuple(earned))


def _has_budget(upline: Upline) -> bool:
    return any(link.plan is not None and link.plan.budget is not None for link in upline.links)


def _place(one: Earned) -> tuple[object, ...]:
    return one.depth, one.kind, one.rule


def with_refund(state: DealState, cause: str, refund: Refund | None) -> DealState:
    """The charged deal with what a later deal gives back of its charge; None is nothing."""
    others = [one for one in state.refunds if one.cause != cause]
    refunds = sorted([*others, *([] if refund is None else [refund])], key=lambda one: (one.at, one.cause))
    if tuple(refunds) == state.refunds:
        return state
    return replace(state, refunds=tuple(refunds), refund_times=state.refund_times + 1)


def less_refunds(state: DealState, terms: Terms) -> DealState:
    """The deal, as it posted at first, with what refunds of its charge leave of that."""
    if not state.refunds:
        return state
    charge = state.refunds[-1].charge
    refunded = Refunded(min(charge, sum((one.amount for one in state.refunds), ZERO)), charge)
    posted = (_less(one, refunded) for one in state.posted)
    return replace(
        state,
        posted=tuple(one for one in posted if one.amount != one.taken),
        tallied=tuple(_less_tally(one, refunded, terms) for one in state.tallied),
    )


def _less(one: Posted, refunded: Refunded) -> Posted:
    uncharged = one.uncharged
    if uncharged is None:
        uncharged = ZERO if one.component == "commission_share" else one.amount
    taken = _share(one.amount - uncharged, refunded)
    return one._replace(taken=taken, base=one.amount - taken) if taken else one


def _less_tally(one: Tally, refunded: Refunded, terms: Terms) -> Tally:
    """Of a share of charges; what it counts of lots and deals is as much as of a deal without a charge."""
    plan = terms.plan_version(one.plan_id, one.plan_version)
    assert plan is not None, "what was tallied is of a plan that is known"
    if not any(c.name == one.component and isinstance(c, CommissionShare) for c in plan.components):
        return one
    sums = one.sums
    amounts = tuple(amount - _share(amount, refunded) for amount in sums.amounts)
    return one.measuring(replace(sums, amounts=amounts))


def _share(amount: Decimal, refunded: Refunded) -> Decimal:
    return to_accrual(amount * refunded.amount / refunded.charge)
