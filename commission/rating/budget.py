"""What comes after the overrides: the budget of a deal, and rebates to its client."""

from decimal import ROUND_DOWN

from commission.money import ACCRUAL_UNIT, EXACT, settled, to_accrual
from commission.rating.components.shares import revenue, shared
from commission.rating.exchange import in_currency
from commission.rating.values import ZERO, Earned, Part, Reason, TallyAmounts
from commission.terms.catalog import Terms
from commission.terms.plans import PlanDefined
from commission.terms.upline import Upline


def budget_plan(upline: Upline) -> PlanDefined | None:
    """The plan of the lowest IB that has one, if it sets a budget."""
    plan = next((link.plan for link in upline.links if link.plan is not None), None)
    return plan if plan is not None and plan.budget is not None else None


def within_budget(earned: list[Earned], plan: PlanDefined, part: Part, terms: Terms) -> list[Earned] | Reason:
    """Cut everybody in proportion if together they get more than the plan's share of the revenue."""
    assert plan.budget is not None, "only a plan with a budget comes here"
    lots = part.opened + part.closed
    own = part._replace(charge=shared(part)) if part.refunded else part
    total = revenue(plan.budget.revenue, own, lots, plan.currency, terms, {})
    if isinstance(total, Reason):
        return total
    budget = total * plan.budget.share
    spent = ZERO
    for one in earned:
        converted = in_currency(one.amount, one.link.partner.currency, plan.currency, part.at, terms)
        if isinstance(converted, Reason):
            return converted
        spent += converted[0]
    budget = max(ZERO, budget)
    if spent <= budget:
        return earned
    cut: list[Earned] = []
    for one in earned:
        share = settled(one.amount * budget / spent)
        amount = share.quantize(ACCRUAL_UNIT, rounding=ROUND_DOWN, context=EXACT)
        if amount:
            factors = {**one.factors, "before_budget": one.amount, "budget": budget, "all_ibs": spent}
            cut.append(one._replace(amount=amount, factors=factors))
    return cut


def worths_within(worths: list[TallyAmounts], earned: list[Earned], cut: list[Earned]) -> list[TallyAmounts]:
    """What settled components count of a deal that was cut: its bands in the same proportion."""
    before = {(one.depth, one.kind): one.amount for one in earned}
    after = {(one.depth, one.kind): one.amount for one in cut}
    found: list[TallyAmounts] = []
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
