"""Turnover: `rate x notional / unit`, per million or in basis points, in the plan's currency."""

from decimal import Decimal

from commission.rating.components.lots import counted
from commission.rating.exchange import no_rate
from commission.rating.values import Factors, Measured, Part, Reason
from commission.terms.catalog import Terms
from commission.terms.components import Turnover
from commission.terms.plans import PlanDefined

UNITS = {"million": Decimal(1_000_000), "bps": Decimal(10_000)}


def measure(
    component: Turnover, plan: PlanDefined, part: Part, lots: Decimal, terms: Terms
) -> Measured | Reason:
    """Measure notional in units of the component."""
    factors: Factors = {"lots": lots}
    found = notional(plan.currency, part, lots, terms, factors)
    if isinstance(found, Reason):
        return found
    unit = UNITS[component.unit]
    factors["unit"] = unit
    return Measured(found / unit, plan.currency, counted(plan, part, lots, {}), factors)


def notional(currency: str, part: Part, lots: Decimal, terms: Terms, factors: Factors) -> Decimal | Reason:
    """Lots x contract size x price, or the base currency's units converted, in `currency`."""
    symbol, deal = part.symbol, part.deal
    units = lots * part.contract_size
    factors["contract_size"] = part.contract_size
    if symbol.base_currency and symbol.profit_currency != currency:
        amount, source = units, symbol.base_currency
    elif deal.price is not None:
        amount, source = units * deal.price, symbol.profit_currency
        factors["price"] = deal.price
    else:
        return Reason("price_unknown", f"deal {deal.deal_id} has no price, so no notional", waits=False)
    if source != currency:
        found = terms.convert(source, currency, part.at)
        if found is None:
            return no_rate(source, currency, part.at)
        amount = found.of(amount)
        factors["notional_rate"] = found.path
    factors["notional"] = amount
    return amount
