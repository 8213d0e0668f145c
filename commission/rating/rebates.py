"""A client's rebate, out of what the IBs above earn."""

from decimal import Decimal

from commission.money import EXACT, to_accrual
from commission.rating.pricing import price
from commission.rating.values import ZERO, Earned, Part, Reason
from commission.terms.catalog import Terms
from commission.terms.components import Rebate
from commission.terms.rates import ONE
from commission.terms.upline import Upline


def rebates(upline: Upline, part: Part, paid: list[Earned], terms: Terms) -> list[Earned] | Reason:
    """Money back to the client by the direct IB's plan, in the IB's currency.

    What the IB funds itself is together at most what it earns from the deal; where the plan pays by the
    result of a period, a deal does not tell what that is, and the period's statement carries the rest.
    """
    link = upline.links[0]
    direct = sum((one.amount for one in paid if one.depth == 0), ZERO)
    left, is_bounded = direct, not link.by_kind.get("revenue_share")
    found: list[Earned] = []
    reason: Reason | None = None
    for payable in upline.rebates:
        component = payable.component
        assert isinstance(component, Rebate), "only rebates come here"
        gross = price(payable, component.rates, link, part, terms, ONE)
        if isinstance(gross, Reason):
            if gross.waits:
                return gross
            reason = reason or gross
            continue
        amount, priced = gross.amounts[0], gross.priced
        if component.unit == "share":
            amount = to_accrual(EXACT.multiply(direct, Decimal(priced.factors["rate"])))
            priced.factors["of"] = direct
        by_ib = component.funded_by == "ib"
        if by_ib and is_bounded:
            if amount > left:
                priced.factors.update(before_limit=amount, ib_earned=left)
                amount = left
            left -= amount
        if amount:
            found.append(
                Earned(
                    link, payable.plan, 0, "rebate", amount, priced.rule, priced.lots, priced.factors, by_ib
                )
            )
    return found or reason or []
