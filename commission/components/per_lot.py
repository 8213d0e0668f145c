"""Money per lot: `rate x lots`, in the plan's currency."""

from commission.known import Terms
from commission.money import Money, plain
from commission.pricing import Part, Priced, Reason
from commission.terms import PerLot, PlanDefined


def price(component: PerLot, plan: PlanDefined, part: Part, terms: Terms) -> Priced | Reason:
    """Pay the rate of the symbol for each (standard) lot on the component's side of the deal."""
    rate = terms.rate_for(component.rates, part.symbol)
    if rate is None:
        return Reason(
            "symbol_not_covered", f"no rate of {plan.plan_id}/{component.name} matches", waits=False
        )
    raw = part.lots(component.entry)
    if not raw:
        return Reason(
            "entry_not_paid", f"{plan.plan_id}/{component.name} pays on `{component.entry}`", waits=False
        )
    lots = part.standard_lots(component.entry) if component.standardised else raw
    factors = {"lots": plain(raw)}
    if lots != raw:
        factors["contract size"] = plain(part.contract_size)
        factors["standard contract size"] = plain(part.symbol.standard_contract_size)
        factors["standard lots"] = plain(lots)
    factors["rate per lot"] = f"{plain(rate.value)} {plan.currency} ({rate.match})"
    amount = Money(rate.value * lots, plan.currency)
    return Priced(amount, f"{component.name}/{rate.match}", lots, factors)
