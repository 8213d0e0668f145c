"""What one standard lot is worth by the terms alone: in lots, pips and shares of usual spreads."""

from decimal import Decimal

from commission.money import plain
from commission.terms.checks.published import CENT
from commission.terms.checks.rates import value_for
from commission.terms.components import PerLot, Pips, SpreadShare
from commission.terms.market import SymbolDefined
from commission.terms.plans import PlanDefined
from commission.terms.rate_matching import lot_factor
from commission.terms.rates import ONE, ZERO

Static = PerLot | Pips | SpreadShare
"""Components whose amount for a lot follows from the terms."""


def money(amount: Decimal, currency: str) -> str:
    """An amount as a person writes it: `15.00 USD`; more decimals only where it has them."""
    rounded = amount.quantize(CENT)
    return f"{rounded if rounded == amount else plain(amount)} {currency}"


def currency_of(component: Static, plan: PlanDefined, symbol: SymbolDefined) -> str:
    """The currency in which the component pays for deals in `symbol`."""
    return plan.currency if isinstance(component, PerLot) else symbol.profit_currency


def worth_of_rate(component: Static, plan: PlanDefined, symbol: SymbolDefined) -> Decimal:
    """What a rate of 1 pays for one standard lot; 0 where the terms do not tell the spread."""
    match component:
        case PerLot():
            factor = lot_factor(plan.lot_factors, symbol, "")
            lots = ONE if component.standardised else _lots(symbol)
            return lots * (factor.factor if factor else ONE)
        case Pips(unit="point"):
            point = ONE.scaleb(-symbol.digits) if symbol.digits is not None else ZERO
            return worth_of_move(point, symbol)
        case Pips():
            return worth_of_move(symbol.pip, symbol)
        case _:
            return worth_of_move(_spread_pips(component, symbol) * symbol.pip, symbol)


def worth_of_move(difference: Decimal, symbol: SymbolDefined) -> Decimal:
    """What a price difference of one standard lot is worth, in the profit currency."""
    if symbol.tick_size and symbol.tick_value:
        return difference / symbol.tick_size * symbol.tick_value * _lots(symbol)
    return difference * symbol.standard_contract_size


def _lots(symbol: SymbolDefined) -> Decimal:
    """One standard lot in lots of the server's symbol."""
    return symbol.standard_contract_size / symbol.contract_size if symbol.contract_size else ONE


def _spread_pips(component: SpreadShare, symbol: SymbolDefined) -> Decimal:
    if component.basis == "markup":
        pips = value_for(component.markup_pips, symbol)
    else:
        pips = value_for(component.average_pips, symbol) or symbol.average_pips
    bounded = min(pips or ZERO, component.cap_pips) if component.cap_pips is not None else pips or ZERO
    return bounded + component.plus_pips
