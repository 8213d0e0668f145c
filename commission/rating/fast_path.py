"""The fast lane: what each IB's own plan pays by one rate, shared by difference in one currency.

Gives exactly what the general path gives (a law in the tests), with what does not depend on the deal
worked out once for an upline and a symbol. Most of what brokers pay goes this way.
"""

from decimal import Decimal
from typing import NamedTuple

from commission.money import ACCRUAL_UNIT, EXACT, to_accrual
from commission.rating.exchange import in_currency
from commission.rating.measuring import measured_of, naming, not_covered
from commission.rating.values import ZERO, Earned, Factors, Part, Rated, Reason
from commission.terms.catalog import Terms
from commission.terms.rate_matching import Trait, is_by_symbol, most_specific
from commission.terms.rates import ONE
from commission.terms.upline import Link, Payable, Sharing, Upline


class Step(NamedTuple):
    """One IB of a lane: the rate its plan has for the symbol, or None, and the cap of one deal."""

    depth: int
    link: Link
    payable: Payable
    rate: Decimal | None
    rule: str
    cap: Decimal | None


class FastPath(NamedTuple):
    """The IBs that a sharing prices, in the one currency they are all settled in."""

    steps: tuple[Step, ...]
    currency: str


def fast_path_of(sharing: Sharing, upline: Upline, part: Part, terms: Terms) -> FastPath | None:
    """The lane of a sharing for the deal's symbol; None where the general path is needed."""
    question = ("lane", id(sharing), part.symbol.canonical, part.symbol.asset_class)
    known = terms.memo.get(question)
    if known is None:
        # With the sharing itself in the answer, no other can come to have its id.
        known = terms.memo[question] = (sharing, _lane(sharing, upline, part))
    return known[1]  # type: ignore[index, no-any-return] # the memo holds what was put above


def _lane(sharing: Sharing, upline: Upline, part: Part) -> FastPath | None:
    currencies = {link.partner.currency for link in upline.links}
    held = [(depth, payables) for depth, payables in enumerate(sharing.own) if payables]
    if len(currencies) > 1 or not all(
        len(payables) == 1 and _is_straight(payables[0], upline.links[depth]) for depth, payables in held
    ):
        return None
    steps = tuple(_step(depth, upline.links[depth], payables[0], part) for depth, payables in held)
    return FastPath(steps, currencies.pop())


def _is_straight(payable: Payable, link: Link) -> bool:
    """Whether a rate times the measure, at most the cap, is all there is to the component."""
    component = payable.component
    caps = component.caps
    return (
        component.override.mode == "difference"
        and not payable.is_settled
        and not component.credit_coefficient
        and link.held.factor == ONE
        and (caps is None or caps.per_deal is None or payable.plan.currency == link.partner.currency)
        and is_by_symbol(component.rates)
    )


def _step(depth: int, link: Link, payable: Payable, part: Part) -> Step:
    component = payable.component
    rate = most_specific(component.rates, part.symbol, Trait(), part.at)
    cap = component.caps.per_deal if component.caps is not None else None
    if rate is None:
        return Step(depth, link, payable, None, component.name, cap)
    return Step(depth, link, payable, rate.value, f"{component.name}/{naming(rate)}", cap)


def rate_fast(lane: FastPath, kind: str, part: Part, terms: Terms) -> Rated | Reason:
    """Each IB's rate times the measure, less the best amount below it."""
    currency = lane.currency
    best = ZERO
    earned: list[Earned] = []
    rules: list[str] = []
    reason: Reason | None = None
    is_whole = kind == "per_lot" and not part.hedged  # no quotient is in it: it can be rounded at once
    for depth, link, payable, rate, rule, cap in lane.steps:
        measured = not_covered(payable, part) if rate is None else measured_of(payable, part, terms)
        if isinstance(measured, Reason):
            if measured.waits:
                return measured
            reason = reason or measured
            continue
        assert rate is not None, "without a rate there is a reason"
        size, source, lots, facts = measured
        factors: Factors = {**facts, "rate": rate}
        if source == currency:
            amount = rate * size
            amount = amount.quantize(ACCRUAL_UNIT, context=EXACT) if is_whole else to_accrual(amount)
        else:
            converted = in_currency(rate * size, source, currency, part.at, terms)
            if isinstance(converted, Reason):
                return converted
            amount, factors["exchange"] = converted
            factors |= {"gross": rate * size, "gross_currency": source}
        if cap is not None and amount > cap:
            factors |= {"uncapped": amount, "cap": cap}
            amount = cap
        rules.append(rule)
        if amount > best:
            if best:
                factors |= {"own": amount, "below": best}
            earned.append(Earned(link, payable.plan, depth, kind, amount - best, rule, lots, factors))
            best = amount
    if earned:
        return Rated(tuple(earned), ())
    return nothing_due(kind, rules) if rules else reason or nothing_due(kind, rules)


def nothing_due(kind: str, rules: list[str]) -> Reason:
    """Somebody's component matched, and its rate or measure makes nothing of the deal."""
    text = f"{kind} {', '.join(rules)} pays nothing: rate or measure is not above 0"
    return Reason("nothing_due", text, waits=False)
