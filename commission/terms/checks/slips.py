"""Slips that pay nothing where something was meant: a cell left out of a table, a reason misspelt."""

from collections.abc import Iterator

from commission.terms.checks.published import Published, Subject, TermsProblem, meant, numbered, some
from commission.terms.checks.rates import covers
from commission.terms.components import DealComponent

REASONS = ("client", "expert", "mobile", "web", "dealer", "signal", "gateway", "stop_loss", "take_profit")
"""What platforms write most; a bridge may write others, so only what is close to one of these is told."""


def check_slips(terms: Published) -> Iterator[TermsProblem]:
    """Warn of rates by group that leave a symbol out, and of reasons that are close to a known one."""
    for subject, plan in terms.plans:
        yield from _check_reasons((*subject, "when"), plan.when.reasons)
        names = numbered(component.name for component in plan.components)
        for name, component in zip(names, plan.components, strict=True):
            if isinstance(component, DealComponent):
                place = (*subject, "component", name)
                yield from _check_reasons((*place, "when"), component.when.reasons)
                yield from _check_cells((*place, "rates"), component, terms)


def _check_reasons(place: Subject, reasons: tuple[str, ...]) -> Iterator[TermsProblem]:
    for reason in reasons:
        if reason not in REASONS and (told := meant(reason, REASONS)):
            text = f"no platform writes the reason {reason!r}; {told}such deals are not paid"
            yield TermsProblem((*place, "reasons"), "unknown_reason", text, "warning")


def _check_cells(place: Subject, component: DealComponent, terms: Published) -> Iterator[TermsProblem]:
    """In a table of symbols and groups, a symbol that some groups are paid for and one is not."""
    plain = [rate for rate in component.rates if not rate.group]
    groups = dict.fromkeys(rate.group for rate in component.rates if rate.group)
    paid = [s for s in terms.canonicals if covers(component.rates, s) and not covers(plain, s)]
    for group in groups if len(groups) > 1 else ():
        mine = [rate for rate in component.rates if rate.group == group]
        if without := sorted({s.canonical for s in paid if not covers(mine, s)}):
            text = (
                f"{component.name} pays nothing for {some(without)} in accounts of {group}, and other groups "
                "are paid there; add a rate, or write 0 if that is meant"
            )
            yield TermsProblem(place, "rate_hole", text, "warning")
