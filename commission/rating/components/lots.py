"""Lots: as the plan counts them, for money per lot and rebates per lot."""

from decimal import Decimal

from commission.rating.values import Factors, Measured, Part
from commission.terms.components import DealComponent
from commission.terms.plans import PlanDefined
from commission.terms.rate_matching import lot_factor


def standard(part: Part, lots: Decimal) -> Decimal:
    """In standard lots: a cent lot of 1,000 units counts 0.01."""
    if part.contract_size == part.symbol.standard_contract_size:
        return lots
    return lots * part.contract_size / part.symbol.standard_contract_size


def counted(plan: PlanDefined, part: Part, lots: Decimal, factors: Factors) -> Decimal:
    """Standard lots times the plan's lot factor; what was multiplied is added to `factors`."""
    whole = standard(part, lots)
    if whole != lots:
        factors["contract_size"] = part.contract_size
        factors["standard_contract_size"] = part.symbol.standard_contract_size
    return _weighted(plan, part, whole, factors)


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
        weighed = counted(plan, part, lots, factors)
        return Measured(weighed, plan.currency, weighed, factors)
    raw = _weighted(plan, part, lots, factors)
    return Measured(raw, plan.currency, counted(plan, part, lots, {}), factors)
