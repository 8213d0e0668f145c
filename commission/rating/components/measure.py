"""Plan components that pay for deals: one way to measure a deal each, behind one signature.

`measure(component, plan, part, lots, terms)` gives what the component's rate multiplies, with the
factors that made it, or a `Reason` why there is nothing. Which component belongs to which module is
decided here only.
"""

from decimal import Decimal

from commission.rating.components import lots as lots_
from commission.rating.components import pips, shares, spread_share, turnover
from commission.rating.values import Measured, Part, Reason
from commission.terms.catalog import Terms
from commission.terms.components import (
    CommissionShare,
    DealComponent,
    PerLot,
    Pips,
    ProfitShare,
    Rebate,
    RevenueShare,
    SpreadShare,
    SwapShare,
    Turnover,
)
from commission.terms.plans import PlanDefined


def measure(
    component: DealComponent, plan: PlanDefined, part: Part, lots: Decimal, terms: Terms
) -> Measured | Reason:
    """What `component` of `plan` measures of `lots` of the part; its rate times this is the amount."""
    match component:
        case PerLot() | Rebate():
            return lots_.measure(component, plan, part, lots)
        case SpreadShare():
            return spread_share.measure(component, plan, part, lots, terms)
        case Turnover():
            return turnover.measure(component, plan, part, lots, terms)
        case Pips():
            return pips.measure(component, plan, part, lots)
        case CommissionShare() | SwapShare() | ProfitShare():
            return shares.measure(component, plan, part, lots)
        case RevenueShare():
            return shares.net_revenue(component, plan, part, lots, terms)
        case _:
            raise TypeError(f"{type(component).__name__} is not a component that pays for deals")
