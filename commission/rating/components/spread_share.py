"""A share of the spread: `rate x spread x contract size x lots`, in the profit currency."""

from decimal import Decimal
from typing import NamedTuple

from commission.events import Deal
from commission.money import EXACT, plain
from commission.rating.components.lots import counted
from commission.rating.eligibility import holds, opening_unknown
from commission.rating.values import ZERO, Factors, Measured, Part, Reason, Slice
from commission.terms.catalog import Terms
from commission.terms.components import SpreadShare
from commission.terms.plans import PlanDefined
from commission.terms.rates import Rate


class Spread(NamedTuple):
    """A price difference, and in words where it comes from."""

    difference: Decimal
    basis: str


def measure(
    component: SpreadShare, plan: PlanDefined, part: Part, lots: Decimal, terms: Terms
) -> Measured | Reason:
    """Measure the spread the client paid on the lots, as the component's basis finds it."""
    looks_back = component.basis in ("open", "average") and part.closed and component.entry != "in"
    pieces = _pieces(component, plan, part, lots) if looks_back else [(lots, None)]
    if isinstance(pieces, Reason):
        return pieces
    worth = total = ZERO
    for size, opening in pieces:
        found = _found(component, part, opening, terms)
        if isinstance(found, Reason):
            return found
        spread = _bounded(component, part, found, terms)
        worth += part.worth(spread.difference, size)
        total += spread.difference * size
    mean, basis = spread
    if len(pieces) > 1:
        mean, basis = EXACT.divide(total, lots), f"mean of {len(pieces)} openings"
    factors: Factors = {
        "lots": lots,
        "contract_size": part.contract_size,
        "spread": mean,
        "spread_basis": basis,
    }
    return Measured(worth, part.symbol.profit_currency, counted(plan, part, lots, {}), factors)


def _pieces(
    component: SpreadShare, plan: PlanDefined, part: Part, lots: Decimal
) -> list[tuple[Decimal, Slice | None]] | Reason:
    """The lots that count by the opening they close; those the deal itself opened have none."""
    if part.slices is None:
        return opening_unknown(part)
    opened = (part.hedged if component.hedged else part.opened) if component.entry == "both" else ZERO
    kept = [s for s in part.slices if holds(plan.when, part, s) and holds(component.when, part, s)]
    whole, closed = sum((s.lots for s in kept), ZERO), lots - opened
    found: list[tuple[Decimal, Slice | None]] = [(s.lots * closed / whole, s) for s in kept]
    return [*found, (opened, None)] if opened else found


def measured_at(deal: Deal) -> Decimal | None:
    """`ask - bid` at the deal; None where the platform recorded none."""
    return deal.ask - deal.bid if deal.bid is not None and deal.ask is not None else None


def average(rates: tuple[Rate, ...], part: Part, terms: Terms) -> Spread | None:
    """The usual spread: of `rates`, else of the symbol."""
    found = terms.rate_for(rates, part.symbol, part.trait, part.at) if rates else None
    pips = found.value if found is not None else part.symbol.average_pips
    return None if pips is None else Spread(pips * part.symbol.pip, f"average of {plain(pips)} pips")


def paid(part: Part, lots: Decimal, terms: Terms) -> Decimal | Reason:
    """The money value of the deal's own spread, measured or usual: a term of the broker's revenue."""
    difference = measured_at(part.deal)
    if difference is None:
        usual = average((), part, terms)
        if usual is None:
            return _unknown(part, "the terms")
        difference = usual.difference
    return part.worth(difference, lots)


def _found(component: SpreadShare, part: Part, opening: Slice | None, terms: Terms) -> Spread | Reason:
    usual = average(component.average_pips, part, terms)
    if component.basis == "markup":
        markup = terms.rate_for(component.markup_pips, part.symbol, part.trait, part.at)
        if markup is None:
            return _unknown(part, component.name)
        return Spread(markup.value * part.symbol.pip, f"mark-up of {plain(markup.value)} pips")
    measured = None if component.basis == "table" else _measured(component, part, opening)
    return measured or usual or _unknown(part, component.name)


def _measured(component: SpreadShare, part: Part, opening: Slice | None) -> Spread | None:
    """The spread at the deal, at the opening it closes, or the mean of both; None where unknown."""
    closing = measured_at(part.deal)
    if opening is None:
        return _closing(part.deal, closing)
    if opening.spread is None:
        return None
    if component.basis == "open":
        return Spread(opening.spread, f"{plain(opening.spread)} at opening")
    if closing is None:
        return None
    basis = f"mean of {plain(opening.spread)} at opening and {plain(closing)} at closing"
    return Spread((opening.spread + closing) / 2, basis)


def _closing(deal: Deal, difference: Decimal | None) -> Spread | None:
    if difference is None:
        return None
    sides = f"ask {plain(deal.ask or ZERO)} - bid {plain(deal.bid or ZERO)}"
    return Spread(difference, sides)


def _bounded(component: SpreadShare, part: Part, spread: Spread, terms: Terms) -> Spread:
    difference, basis = spread
    pip = part.symbol.pip
    if component.at_most_average and component.basis != "markup":
        usual = average(component.average_pips, part, terms)
        if usual is not None and difference > usual.difference:
            difference, basis = usual.difference, f"{basis}, at most the {usual.basis}"
    if component.cap_pips is not None and difference > component.cap_pips * pip:
        difference, basis = component.cap_pips * pip, f"{basis}, capped at {plain(component.cap_pips)} pips"
    if component.plus_pips:
        difference, basis = (
            difference + component.plus_pips * pip,
            f"{basis}, plus {plain(component.plus_pips)} pips",
        )
    return Spread(difference, basis)


def _unknown(part: Part, where: str) -> Reason:
    text = (
        f"no bid and ask, and no average spread of {part.symbol.canonical} in {where}; "
        "add average_pips there or to the symbol"
    )
    return Reason("spread_unknown", text, waits=True)
