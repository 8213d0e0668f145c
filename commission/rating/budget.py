"""What comes after the overrides: the budget of a deal, and rebates to its client."""

from decimal import ROUND_DOWN, Decimal

from commission.earned import Earned, Worth
from commission.money import ACCRUAL_UNIT, EXACT, settled, to_accrual
from commission.rating.components.shares import revenue
from commission.rating.overrides import in_currency
from commission.rating.pricing import price
from commission.rating.values import ZERO, Part, Reason
from commission.terms.catalog import Terms
from commission.terms.records import ONE, PlanDefined, Rebate
from commission.terms.upline import Upline


def budget_plan(upline: Upline) -> PlanDefined | None:
    """The plan of the lowest IB that has one, if it sets a budget."""
    plan = next((link.plan for link in upline.links if link.plan is not None), None)
    return plan if plan is not None and plan.budget is not None else None


def within_budget(earned: list[Earned], plan: PlanDefined, part: Part, terms: Terms) -> list[Earned] | Reason:
    """Cut everybody in proportion if together they get more than the plan's share of the revenue."""
    assert plan.budget is not None, "only a plan with a budget comes here"
    lots = part.opened + part.closed
    total = revenue(plan.budget.revenue, part, lots, plan.currency, terms, {})
    if isinstance(total, Reason):
        return total
    budget = max(ZERO, total * plan.budget.share)
    spent = ZERO
    for one in earned:
        converted = in_currency(one.amount, one.link.partner.currency, plan.currency, part.at, terms)
        if isinstance(converted, Reason):
            return converted
        spent += converted[0]
    if spent <= budget:
        return earned
    cut: list[Earned] = []
    for one in earned:
        share = settled(one.amount * budget / spent)
        amount = share.quantize(ACCRUAL_UNIT, rounding=ROUND_DOWN, context=EXACT)
        if amount > 0:
            factors = {**one.factors, "before_budget": one.amount, "budget": budget, "all_ibs": spent}
            cut.append(one._replace(amount=amount, factors=factors))
    return cut


def worths_within(worths: list[Worth], earned: list[Earned], cut: list[Earned]) -> list[Worth]:
    """What settled components count of a deal that was cut: its bands in the same proportion."""
    before = {(one.depth, one.kind): one.amount for one in earned}
    after = {(one.depth, one.kind): one.amount for one in cut}
    found: list[Worth] = []
    for worth in worths:
        place = (worth.depth, worth.kind)
        was, now = before.get(place, ZERO), after.get(place, ZERO)
        if was and was != now:
            bands = (to_accrual(amount * now / was) for amount in worth.amounts[1:])
            found.append(worth._replace(amounts=(now, *bands)))
        else:
            found.append(worth)
    return found


def budget_spent(plan: PlanDefined) -> Reason:
    """Nothing is left of a deal within its budget."""
    text = f"the budget of {plan.plan_id} leaves nothing: the deal brought the broker no revenue"
    return Reason("over_budget", text, waits=False)


def rebates(upline: Upline, part: Part, paid: list[Earned], terms: Terms) -> list[Earned] | Reason:
    """Money back to the client by the direct IB's plan, in the IB's currency."""
    link = upline.links[0]
    direct = sum((one.amount for one in paid if one.depth == 0), ZERO)
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
        if amount > 0:
            by_ib = component.funded_by == "ib"
            found.append(
                Earned(
                    link, payable.plan, 0, "rebate", amount, priced.rule, priced.lots, priced.factors, by_ib
                )
            )
    return found or reason or []
