"""Lots: as the plan counts them, for money per lot and rebates per lot."""

from decimal import Decimal

from commission.rating.values import Factors, Measured, Part
from commission.terms.components import DealComponent
from commission.terms.plans import PlanDefined
from commission.terms.rate_matching import lot_factor


def counted(plan: PlanDefined, part: Part, lots: Decimal, factors: Factors) -> Decimal:
    """Standard lots times the plan's lot factor; what was multiplied is added to `factors`."""
    standard = part.standard(lots)
    if standard != lots:
        factors["contract_size"] = part.contract_size
        factors["standard_contract_size"] = part.symbol.standard_contract_size
    return _weighted(plan, part, standard, factors)


def _weighted(plan: PlanDefined, part: Part, lots: Decimal, factors: Factors) -> Decimal:
    factor = lot_factor(plan.lot_factors, part.symbol, part.trait.group) if plan.lot_factors else None
    if factor is None:
        return lots
    factors["lot_factor"] = factor.factor
    return lots * factor.factor


def measure(component: DealComponent, plan: PlanDefined, part: Part, lots: Decimal) -> Measured:
    """Measure lots: standard ones, unless the component counts the server's own."""
    factors: Factors = {"lots": lots}
    if getattr(component, "standardised", True):
        standard = counted(plan, part, lots, factors)
        return Measured(standard, plan.currency, standard, factors)
    raw = _weighted(plan, part, lots, factors)
    return Measured(raw, plan.currency, counted(plan, part, lots, {}), factors)
