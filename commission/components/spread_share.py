"""A share of the spread: `share x spread x contract size x lots`, in the profit currency."""

from decimal import Decimal

from commission.known import Terms
from commission.money import Money, plain
from commission.pricing import Part, Priced, Reason
from commission.terms import PlanDefined, SpreadShare


def price(component: SpreadShare, plan: PlanDefined, part: Part, terms: Terms) -> Priced | Reason:
    """Pay the share of what the client paid as spread, measured or, where unknown, averaged."""
    share = terms.rate_for(component.rates, part.symbol)
    if share is None:
        return Reason(
            "symbol_not_covered", f"no rate of {plan.plan_id}/{component.name} matches", waits=False
        )
    lots = part.lots(component.entry)
    if not lots:
        return Reason(
            "entry_not_paid", f"{plan.plan_id}/{component.name} pays on `{component.entry}`", waits=False
        )
    found = _spread(component, part, terms)
    if isinstance(found, Reason):
        return found
    spread, basis = found
    factors = {
        "lots": plain(lots),
        "contract size": plain(part.contract_size),
        "spread": f"{plain(spread)} ({basis})",
        "share": f"{plain(share.value)} ({share.match})",
    }
    amount = Money(share.value * spread * part.contract_size * lots, part.symbol.profit_currency)
    return Priced(amount, f"{component.name}/{share.match}", part.standard_lots(component.entry), factors)


def _spread(component: SpreadShare, part: Part, terms: Terms) -> tuple[Decimal, str] | Reason:
    deal, symbol = part.deal, part.symbol
    if deal.bid is not None and deal.ask is not None:
        spread, basis = deal.ask - deal.bid, f"ask {plain(deal.ask)} - bid {plain(deal.bid)}"
    else:
        average = terms.rate_for(component.average_pips, symbol)
        if average is None:
            return Reason(
                "spread_unknown",
                f"no bid and ask, and no average spread of {symbol.canonical} in {component.name}",
                waits=True,
            )
        spread, basis = average.value * symbol.pip, f"average of {plain(average.value)} pips"
    if component.cap_pips is not None and spread > component.cap_pips * symbol.pip:
        return component.cap_pips * symbol.pip, f"{basis}, capped at {plain(component.cap_pips)} pips"
    return spread, basis
