"""Overrides in which the lowest IB's plan is priced and divided: cascade, split, rank."""

from decimal import Decimal

from commission.rating.overrides import cascade, cascade_amounts, split, steps_taken
from commission.rating.pricing import price, worth
from commission.rating.values import ZERO, Earned, Gross, Part, Priced, Rated, Reason, TallyAmounts
from commission.terms.catalog import Terms
from commission.terms.upline import Link, Payable, Sharing, Upline


def rate_driven(
    sharing: Sharing, payable: Payable, part: Part, upline: Upline, terms: Terms
) -> Rated | Reason:
    """Price the driver's component in each receiver's currency, and divide it."""
    links = upline.links[sharing.driver :]
    component = payable.component
    own = links[0].held.factor
    by_currency: dict[str, tuple[list[tuple[Decimal, ...]], Gross]] = {}
    for link in links:
        if link.partner.currency in by_currency:
            continue
        divided = _divided(payable, link, links, part, terms, own)
        if isinstance(divided, Reason):
            return divided
        by_currency[link.partner.currency] = divided
    earned: list[Earned] = []
    worths: list[TallyAmounts] = []
    for number, link in enumerate(links):
        shares, gross = by_currency[link.partner.currency]
        amounts, depth = shares[number], sharing.driver + number
        if payable.is_settled and any(amounts):
            counted = worth(gross, link, depth, amounts, part, terms)
            if isinstance(counted, Reason):
                return counted
            worths.append(counted)
        if amounts[0] > 0 and sharing.kind != "revenue_share":
            priced = gross.priced
            factors = {**priced.factors, "base": priced.amount, "mode": component.override.mode}
            if component.override.mode == "rank":
                factors["rank"] = link.held.rank
            earned.append(
                Earned(link, payable.plan, depth, sharing.kind, amounts[0], priced.rule, priced.lots, factors)
            )
    if not earned and not worths:
        text = f"{payable.plan.plan_id}/{component.name} leaves nothing to share"
        return Reason("nothing_due", text, waits=False)
    return Rated(tuple(earned), tuple(worths))


def _divided(
    payable: Payable, link: Link, links: tuple[Link, ...], part: Part, terms: Terms, own: Decimal
) -> tuple[list[tuple[Decimal, ...]], Gross] | Reason:
    """By depth above the driver, what each would have at the own rates and at each band."""
    override = payable.component.override
    if override.mode == "rank":
        return _ranked(payable, link, links, part, terms, own)
    gross = price(payable, payable.component.rates, link, part, terms, own)
    if isinstance(gross, Reason):
        return gross
    columns: list[list[Decimal]] = []
    for base in gross.amounts:
        if override.mode == "split":
            columns.append(split(base, override.shares, len(links)))
        elif override.pass_unit == "share":
            columns.append(cascade(base, override.pass_up, len(links)))
        else:
            columns.append(cascade_amounts(base, _passed(payable, link, part, terms, own), len(links)))
    return [tuple(column[depth] for column in columns) for depth in range(len(links))], gross


def _passed(payable: Payable, link: Link, part: Part, terms: Terms, own: Decimal) -> list[Decimal]:
    """The amounts to pass on: each entry as a rate of the component's measure."""
    amounts: list[Decimal] = []
    for rates in payable.passes:
        gross = price(payable, rates, link, part, terms, own)
        assert isinstance(gross, Gross), "what was measured for the base is measured"
        amounts.append(gross.amounts[0])
    return amounts


def _ranked(
    payable: Payable, link: Link, links: tuple[Link, ...], part: Part, terms: Terms, own: Decimal
) -> tuple[list[tuple[Decimal, ...]], Gross] | Reason:
    ranks = payable.component.override.ranks
    amounts: list[Decimal] = []
    last: Gross | None = None
    reason: Reason | None = None
    for step in ranks:
        gross = price(payable, step.rates, link, part, terms, own)
        if isinstance(gross, Reason):
            if gross.waits:
                return gross
            reason = gross
            amounts.append(ZERO)
        else:
            amounts.append(gross.amounts[0])
            last = gross
    if last is None:
        return reason or Reason("no_plan", f"{payable.component.name} lists no ranks", waits=False)
    steps = steps_taken(ranks, [holder.held.rank for holder in links])
    total = Priced(sum(amounts, ZERO), last.priced.rule, last.priced.lots, last.priced.factors)
    shares: list[tuple[Decimal, ...]] = [(sum(amounts[start:end], ZERO),) for start, end in steps]
    return shares, Gross(payable, (total.amount,), total)
