"""Shares of what the deal brought: commission, swap, the client's result, the broker's net revenue."""

from decimal import Decimal

from commission.events import Deal
from commission.rating.components import spread_share
from commission.rating.components.lots import counted
from commission.rating.exchange import no_rate
from commission.rating.values import ZERO, Factors, Measured, Part, Reason
from commission.terms.catalog import Terms
from commission.terms.components import CommissionShare, ProfitShare, RevenueShare, RevenueTerm, SwapShare
from commission.terms.plans import PlanDefined
from commission.terms.upline import counts_commission_apart


def measure(
    component: CommissionShare | SwapShare | ProfitShare,
    plan: PlanDefined,
    part: Part,
    lots: Decimal,
) -> Measured:
    """Measure, for the lots that count, what the client was charged or lost; never below 0."""
    deal = part.deal
    if isinstance(component, CommissionShare):
        name, whole = "charged", shared(part)
    elif isinstance(component, SwapShare):
        name, whole = "swap_paid", -deal.swap
    elif component.of == "loss":
        name, whole = "client_loss", -result(deal)
    else:
        name, whole = "client_profit", result(deal)
    amount = max(ZERO, portion(part, whole, lots))
    factors: Factors = {"lots": lots, name: amount, "currency": deal.currency}
    return Measured(amount, deal.currency, counted(plan, part, lots, {}), factors)


def charged(part: Part) -> Decimal:
    """What the client was charged on the deal, or the part of a later charge that falls to it."""
    return part.charge if part.charge is not None else -(part.deal.commission + part.deal.fee)


def shared(part: Part) -> Decimal:
    """What of that a share of commission goes by here: a refund is taken of the charge it refunds."""
    return charged(part) + part.refunded


def result(deal: Deal) -> Decimal:
    """What the deal brought the client, all costs included."""
    return deal.profit + deal.swap + deal.commission + deal.fee


def portion(part: Part, whole: Decimal, lots: Decimal) -> Decimal:
    """The deal's money in proportion to the lots that count."""
    total = part.opened + part.closed
    if not total or lots == total:
        return whole
    return whole * lots / total


def net_revenue(
    component: RevenueShare, plan: PlanDefined, part: Part, lots: Decimal, terms: Terms
) -> Measured | Reason:
    """Measure the broker's net revenue of the deal, in the deposit currency; it may be negative."""
    factors: Factors = {"lots": lots}
    own = lots - part.opened if counts_commission_apart(component) else lots
    total = revenue(component.terms, part, lots, part.deal.currency, terms, factors, own=own)
    if isinstance(total, Reason):
        return total
    return Measured(total, part.deal.currency, counted(plan, part, own, {}), factors)


def revenue(
    wanted: tuple[RevenueTerm, ...],
    part: Part,
    lots: Decimal,
    currency: str,
    terms: Terms,
    factors: Factors,
    *,
    own: Decimal | None = None,
) -> Decimal | Reason:
    """The sum of revenue terms of the lots in `currency`; each is added to `factors`.

    Where they differ, `own` are the lots of every term but the commission.
    """
    deal, total, charged_lots = part.deal, ZERO, lots
    lots = lots if own is None else own
    for term in wanted:
        if not lots and term != "commission":
            continue
        source = deal.currency
        if term == "spread":
            value = spread_share.paid(part, lots, terms)
            if isinstance(value, Reason):
                return value
            source = part.symbol.profit_currency
        elif term == "commission":
            value = portion(part, charged(part), charged_lots)
        elif term == "swap":
            value = portion(part, -deal.swap, lots)
        else:  # a later charge may be booked as a result, and is commission
            value = portion(part, -deal.profit, lots) if deal.kind == "trade" else ZERO
        if value and source != currency:
            found = terms.convert(source, currency, part.at)
            if found is None:
                return no_rate(source, currency, part.at)
            value = found.of(value)
        factors[f"revenue_{term}"] = value
        total += value
    return total
