"""Plan components: one way an amount arises each, behind one signature.

`price(component, plan, part, terms)` gives a `Priced` amount with the factors that made it, or a
`Reason` why it is not an amount. Which component belongs to which module is decided here only.
"""

from commission.components import per_lot, spread_share
from commission.known import Terms
from commission.pricing import Part, Priced, Reason
from commission.terms import Component, Cpa, PerLot, PlanDefined, SpreadShare

DEAL_KINDS = ("per_lot", "spread_share")
"""Components a deal can earn, in the order they are explained."""


def price(component: Component, plan: PlanDefined, part: Part, terms: Terms) -> Priced | Reason:
    """What `component` of `plan` pays, before overrides, for one part of a deal."""
    match component:
        case PerLot():
            return per_lot.price(component, plan, part, terms)
        case SpreadShare():
            return spread_share.price(component, plan, part, terms)
        case Cpa():
            return Reason(
                "not_a_deal_component", f"{component.name} pays for clients, not for deals", waits=False
            )
