"""Pips or points: `rate x pip x contract size x lots`, in the profit currency."""

from decimal import Decimal

from commission.rating.components.lots import counted
from commission.rating.values import Factors, Measured, Part, Reason
from commission.terms.components import Pips
from commission.terms.plans import PlanDefined


def measure(component: Pips, plan: PlanDefined, part: Part, lots: Decimal) -> Measured | Reason:
    """Measure what one pip (or point) of the lots is worth."""
    symbol = part.symbol
    if component.unit == "pip":
        unit = symbol.pip
    elif symbol.digits is None:
        text = f"{symbol.symbol} has no digits, so its point is unknown; add them to symbols.yaml"
        return Reason("point_unknown", text, waits=True)
    else:
        unit = Decimal(1).scaleb(-symbol.digits)
    factors: Factors = {"lots": lots, "contract_size": part.contract_size, component.unit: unit}
    return Measured(part.worth(unit, lots), symbol.profit_currency, counted(plan, part, lots, {}), factors)
