"""The fast lane: money per lot shared by difference in one currency, most of what brokers pay.

Gives exactly what the general path gives (a law in the tests), with what does not depend on the deal
worked out once for an upline and a symbol.
"""

from decimal import Decimal
from typing import NamedTuple

from commission.conditions import nothing
from commission.earned import Earned, Rated
from commission.known import Terms
from commission.money import ACCRUAL_UNIT, EXACT
from commission.pricing import ZERO, Factors, Part, Reason
from commission.selection import Trait, is_by_symbol, most_specific
from commission.terms import ONE, PerLot, PlanDefined
from commission.upline import Link, Payable, Sharing, Upline


class Step(NamedTuple):
    """One IB of a lane: the rate its plan has for the symbol, or None."""

    depth: int
    link: Link
    plan: PlanDefined
    payable: Payable
    entry: str
    rate: Decimal | None
    rule: str


def lane_of(sharing: Sharing, upline: Upline, part: Part, terms: Terms) -> tuple[Step, ...] | None:
    """The lane of a sharing for the deal's symbol; None where the general path is needed."""
    question = ("lane", id(sharing), part.symbol.canonical, part.symbol.asset_class)
    known = terms.memo.get(question)
    if known is None:
        # With the sharing itself in the answer, no other can come to have its id.
        known = terms.memo[question] = (sharing, _lane(sharing, upline, part))
    return known[1]  # type: ignore[index, no-any-return] # the memo holds what was put above


def _lane(sharing: Sharing, upline: Upline, part: Part) -> tuple[Step, ...] | None:
    steps: list[Step] = []
    currencies = {link.partner.currency for link in upline.links}
    for depth, payables in enumerate(sharing.own):
        if not payables:
            continue
        link, payable = upline.links[depth], payables[0]
        component, plan = payable.component, payable.plan
        if not (
            len(payables) == 1
            and isinstance(component, PerLot)
            and component.standardised
            and component.override.mode == "difference"
            and payable.is_plain
            and not plan.lot_factors
            and link.held.factor == ONE
            and currencies == {plan.currency}
            and is_by_symbol(component.rates)
        ):
            return None
        rate = most_specific(component.rates, part.symbol, Trait(), part.at)
        rule = f"{component.name}/{rate.match}" if rate is not None else component.name
        value = rate.value if rate is not None else None
        steps.append(Step(depth, link, plan, payable, component.entry, value, rule))
    return tuple(steps)


def rate_lane(steps: tuple[Step, ...], kind: str, part: Part) -> Rated | Reason:
    """Each IB's rate times the lots, less the best amount below it."""
    closed, opened = part.closed, part.opened
    best = ZERO
    earned: list[Earned] = []
    rules: list[str] = []
    reason: Reason | None = None
    is_close_by = part.deal.entry == "out_by"
    for depth, link, plan, payable, entry, rate, rule in steps:
        if rate is None:
            reason = reason or not_covered(payable, part)
            continue
        lots = closed if entry == "out" else opened if entry == "in" or is_close_by else opened + closed
        if not lots:
            reason = reason or nothing(payable, part)
            continue
        standard = part.standard(lots)
        amount = (rate * standard).quantize(ACCRUAL_UNIT, context=EXACT)
        rules.append(rule)
        if amount <= best:
            continue
        factors: Factors = {"lots": lots}
        if standard != lots:
            factors["contract_size"] = part.contract_size
            factors["standard_contract_size"] = part.symbol.standard_contract_size
        factors["rate"] = rate
        if best:
            factors["own"] = amount
            factors["below"] = best
        earned.append(Earned(link, plan, depth, kind, amount - best, rule, standard, factors))
        best = amount
    if earned:
        return Rated(tuple(earned), ())
    if rules:
        return nothing_due(kind, rules)
    assert reason is not None, "each step has an amount or a reason"
    return reason


def not_covered(payable: Payable, part: Part) -> Reason:
    """No rate of the component is for the deal."""
    text = f"no rate of {payable.plan.plan_id}/{payable.component.name} matches {part.symbol.canonical}"
    return Reason("symbol_not_covered", text, waits=False)


def nothing_due(kind: str, rules: list[str]) -> Reason:
    """Somebody's component matched, and its rate or measure makes nothing of the deal."""
    text = f"{kind} {', '.join(rules)} pays nothing: rate or measure is not above 0"
    return Reason("nothing_due", text, waits=False)
