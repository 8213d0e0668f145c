"""What one component pays one IB of a deal before overrides: `rate x measure`, in the IB's currency."""

from decimal import Decimal

from commission.money import to_accrual
from commission.rating.components.turnover import notional
from commission.rating.eligibility import eligible
from commission.rating.exchange import in_currency
from commission.rating.measuring import measured_of, naming, not_covered
from commission.rating.values import ZERO, Factors, Gross, Measured, Part, Priced, Reason, TallyAmounts
from commission.terms.catalog import Terms
from commission.terms.rates import ONE, Band, Rate
from commission.terms.upline import Link, Payable


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
    found = terms.rate_for(rates, part.symbol, part.trait, part.at)
    if found is None:
        return not_covered(payable, part)
    measured = measured_of(payable, part, terms)
    if isinstance(measured, Reason):
        return measured
    factors: Factors = {**measured.factors, "rate": found.value}
    component = payable.component
    size = measured.measure
    if own != ONE or component.credit_coefficient:
        factor = _factor(payable, part, own, factors)
        if isinstance(factor, Reason):
            return factor
        size *= factor
    own_amount = _settled(found.value * size, measured, payable, link, part, terms, factors)
    if isinstance(own_amount, Reason):
        return own_amount
    amounts: tuple[Decimal, ...] = (own_amount,)
    for band in component.tiers.bands if component.tiers is not None else ():
        value = _at_band(band, found, part, terms)
        at_band = _settled(value * size, measured, payable, link, part, terms, {})
        assert isinstance(at_band, Decimal), "the rates of exchange are those of the own amount"
        amounts = (*amounts, at_band)
    rule = f"{component.name}/{naming(found)}"
    return Gross(payable, amounts, Priced(own_amount, rule, measured.lots, factors))


def _factor(payable: Payable, part: Part, own: Decimal, factors: Factors) -> Decimal | Reason:
    """The IB's own factor and the account's credit coefficient, where there are any."""
    if own != ONE:
        factors["own_factor"] = own
    if not payable.component.credit_coefficient:
        return own
    coefficient = _coefficient(part, factors)
    return coefficient if isinstance(coefficient, Reason) else own * coefficient


def _at_band(band: Band, found: Rate, part: Part, terms: Terms) -> Decimal:
    """The band's rate for the deal, or its factor times the component's own."""
    better = terms.rate_for(band.rates, part.symbol, part.trait, part.at)
    return better.value if better is not None else found.value * band.factor


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
        factors["exchange"] = path
        factors["gross"] = amount
        factors["gross_currency"] = measured.currency
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


def worth(
    gross: Gross, link: Link, depth: int, amounts: tuple[Decimal, ...], part: Part, terms: Terms
) -> TallyAmounts | Reason:
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
    component, lots_counted = payable.component, gross.priced.lots
    return TallyAmounts(link, payable.plan, depth, payable.kind, component.name, amounts, lots_counted, size)
