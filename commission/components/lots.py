"""Lots: as the plan counts them, for money per lot and rebates per lot."""

from decimal import Decimal

from commission.pricing import Factors, Measured, Part
from commission.selection import lot_factor
from commission.terms import DealComponent, PlanDefined


def counted(plan: PlanDefined, part: Part, lots: Decimal, factors: Factors) -> Decimal:
    """Standard lots times the plan's lot factor; what was multiplied is added to `factors`."""
    standard = part.standard(lots)
    if standard != lots:
        factors["contract_size"] = part.contract_size
        factors["standard_contract_size"] = part.symbol.standard_contract_size
    if plan.lot_factors:
        factor = lot_factor(plan.lot_factors, part.symbol, part.trait.group)
        if factor is not None:
            factors["lot_factor"] = factor.factor
            return standard * factor.factor
    return standard


def measure(component: DealComponent, plan: PlanDefined, part: Part, lots: Decimal) -> Measured:
    """Measure lots: standard ones, unless the component counts the server's own."""
    factors: Factors = {"lots": lots}
    standard = counted(plan, part, lots, factors)
    if not getattr(component, "standardised", True):
        return Measured(lots, plan.currency, standard, {"lots": lots})
    return Measured(standard, plan.currency, standard, factors)
