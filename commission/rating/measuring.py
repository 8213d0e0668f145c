"""Measure a part once for all components of a tree that measure alike, and name the rate that counts."""

from commission.rating.components.measure import measure
from commission.rating.eligibility import eligible
from commission.rating.values import Measured, Part, Reason
from commission.terms.catalog import Terms
from commission.terms.rates import Rate
from commission.terms.upline import Payable


def measured_of(payable: Payable, part: Part, terms: Terms) -> Measured | Reason:
    """What the component measures of the part; once for all IBs whose components measure alike."""
    known = part.measures.get(id(payable.basis)) if part.measures is not None else None
    if known is not None:
        return known
    lots = eligible(payable, part)
    measured: Measured | Reason = (
        lots if isinstance(lots, Reason) else measure(payable.component, payable.plan, part, lots, terms)
    )
    if part.measures is not None:
        part.measures[id(payable.basis)] = measured
    return measured


def naming(rate: Rate) -> str:
    """The rate's match, with whatever else chose it: `* of group real\\ecn*`."""
    if not (rate.client or rate.login or rate.group or rate.country):
        return rate.match
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
    return f"{rate.match} of {', '.join(named)}"


def not_covered(payable: Payable, part: Part) -> Reason:
    """No rate of the component is for the deal."""
    text = f"no rate of {payable.plan.plan_id}/{payable.component.name} matches {part.symbol.canonical}"
    return Reason("symbol_not_covered", text, waits=False)
