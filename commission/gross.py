"""What one component pays one IB of a deal before overrides: `rate x measure`, in the IB's currency."""

from decimal import Decimal

from commission.components import measure
from commission.components.turnover import notional
from commission.conditions import eligible
from commission.earned import Gross, Worth
from commission.hierarchy import in_currency
from commission.known import Terms
from commission.lane import not_covered
from commission.money import EXACT, to_accrual
from commission.pricing import ZERO, Factors, Measured, Part, Priced, Reason
from commission.terms import ONE, Band, DealComponent, Rate
from commission.upline import Link, Payable


def gross(payable: Payable, depth: int, link: Link, part: Part, terms: Terms) -> Gross | Reason:
    """Price an IB's own component, in its currency, at 8 decimals, before overrides."""
    component = payable.component
    rates = component.rates
    if depth and component.override.mode == "absolute":
        levels = component.override.levels
        if depth > len(levels):
            text = f"{payable.plan.plan_id}/{component.name} pays {len(levels)} levels up, not {depth}"
            return Reason("level_not_paid", text, waits=False)
        rates = levels[depth - 1]
    return price(payable, rates, link, part, terms, own=link.held.factor)


def price(
    payable: Payable, rates: tuple[Rate, ...], link: Link, part: Part, terms: Terms, own: Decimal
) -> Gross | Reason:
    """Price a component by some rates: its own, those of a level, or of a rank; `own` is the IB's factor."""
    component, plan = payable.component, payable.plan
    found = terms.rate_for(rates, part.symbol, part.trait, part.at)
    if found is None:
        return not_covered(payable, part)
    lots = eligible(payable, part)
    if isinstance(lots, Reason):
        return lots
    measured = measure(component, plan, part, lots, terms)
    if isinstance(measured, Reason):
        return measured
    factors = measured.factors
    factors["rate"] = found.value
    factor = own
    if own != ONE:
        factors["own_factor"] = own
    if component.credit_coefficient:
        coefficient = _coefficient(part, factors)
        if isinstance(coefficient, Reason):
            return coefficient
        factor = EXACT.multiply(factor, coefficient)
    values = [found.value, *(_at_band(band, found, part, terms) for band in _bands(component))]
    amounts: list[Decimal] = []
    for value in values:
        amount = value * measured.measure
        if factor is not ONE:
            amount *= factor
        one = _settled(amount, measured, payable, link, part, terms, factors if not amounts else {})
        if isinstance(one, Reason):
            return one
        amounts.append(one)
    rule = f"{component.name}/{_naming(found)}"
    return Gross(payable, tuple(amounts), Priced(amounts[0], rule, measured.lots, factors))


def _naming(rate: Rate) -> str:
    """The rate's match, with whatever else chose it: `* of group real\\ecn*`."""
    named = [
        f"{what} {name}"
        for what, name in (
            ("client", rate.client),
            ("login", rate.login),
            ("group", rate.group),
            ("country", rate.country),
        )
        if name
    ]
    return f"{rate.match} of {', '.join(named)}" if named else rate.match


def _bands(component: DealComponent) -> tuple[Band, ...]:
    return component.tiers.bands if component.tiers is not None else ()


def _at_band(band: Band, found: Rate, part: Part, terms: Terms) -> Decimal:
    """The band's rate for the deal, or its factor times the component's own."""
    if not band.rates:
        return found.value * band.factor
    better = terms.rate_for(band.rates, part.symbol, part.trait, part.at)
    return (better or found).value * band.factor


def _coefficient(part: Part, factors: Factors) -> Decimal | Reason:
    equity, credit = part.deal.equity, part.deal.credit
    if equity is None or credit is None:
        text = f"deal {part.deal.deal_id} has no equity and credit, which its credit coefficient needs"
        return Reason("equity_unknown", text, waits=False)
    coefficient = max(ZERO, (equity - credit) / equity) if equity > 0 else ZERO
    factors |= {"equity": equity, "credit": credit, "coefficient": coefficient}
    return coefficient


def _settled(
    amount: Decimal,
    measured: Measured,
    payable: Payable,
    link: Link,
    part: Part,
    terms: Terms,
    factors: Factors,
) -> Decimal | Reason:
    """In the IB's currency, at 8 decimals, within the cap of one deal."""
    currency = link.partner.currency
    if measured.currency == currency:
        settled = to_accrual(amount)
    else:
        converted = in_currency(amount, measured.currency, currency, part.at, terms)
        if isinstance(converted, Reason):
            return converted
        settled, path = converted
        factors["gross"] = amount
        factors["gross_currency"] = measured.currency
        factors["exchange"] = path
    caps = payable.component.caps
    if caps is not None and caps.per_deal is not None:
        cap = in_currency(caps.per_deal, payable.plan.currency, currency, part.at, terms)
        if isinstance(cap, Reason):
            return cap
        if settled > cap[0]:
            factors["uncapped"] = settled
            factors["cap"] = cap[0]
            return cap[0]
    return settled


def worth(gross: Gross, link: Link, amounts: tuple[Decimal, ...], part: Part, terms: Terms) -> Worth | Reason:
    """What the deal adds to an IB's measures of a settled component."""
    payable = gross.payable
    tiers, size = payable.component.tiers, ZERO
    if tiers is not None and tiers.by == "notional":
        lots = eligible(payable, part)
        assert isinstance(lots, Decimal), "what was priced has lots"
        found = notional(payable.plan.currency, part, lots, terms, {})
        if isinstance(found, Reason):
            return found
        size = found
    return Worth(link, payable.plan, payable.component.name, amounts, gross.priced.lots, size)
