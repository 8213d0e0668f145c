"""Checks of IBs, of their tree, and of the conversions into their currencies."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from commission.terms.catalog import BEGINNING, MAX_UPLINE_DEPTH
from commission.terms.checks.published import (
    Published,
    Subject,
    TermsProblem,
    check_currency,
    check_order,
    is_positive,
    meant,
    some,
)
from commission.terms.checks.rates import covers
from commission.terms.components import Pips, SpreadShare
from commission.terms.partners import PartnerDefined
from commission.terms.plans import PlanDefined


def check_partners(terms: Published) -> Iterator[TermsProblem]:
    """Find what an IB refers to and is not there, and schedules that do not run forward."""
    for subject, partner in terms.partners:
        yield from check_currency((*subject, "currency"), partner.currency)
        yield from check_order((*subject, "parent"), [link.since for link in partner.parents])
        yield from check_order((*subject, "plan"), [link.since for link in partner.schedule])
        yield from check_order((*subject, "status"), [change.since for change in partner.statuses])
        for index, link in enumerate(partner.parents):
            if link.ib_id is not None and link.ib_id not in terms.partner_of:
                text = (
                    f"the parent {link.ib_id} of {partner.ib_id} is not an IB here; "
                    f"{meant(link.ib_id, terms.partner_of)}add it or correct the id"
                )
                yield TermsProblem((*subject, "parent", str(index)), "unknown_parent", text)
        for index, held in enumerate(partner.schedule):
            if held.plan_id is not None and held.plan_id not in terms.versions_of:
                text = (
                    f"the plan {held.plan_id} of {partner.ib_id} does not exist; "
                    f"{meant(held.plan_id, terms.versions_of)}add it or correct the id"
                )
                yield TermsProblem((*subject, "plan", str(index)), "unknown_plan", text)
            if not is_positive(held.factor):
                text = f"the factor of {partner.ib_id} is {held.factor}; it must be above 0"
                yield TermsProblem((*subject, "plan", str(index), "factor"), "bad_factor", text)


def check_letter_case(terms: Published) -> Iterator[TermsProblem]:
    """Warn of IBs whose ids differ only by letter case: a person would take one for the other."""
    first: dict[str, str] = {}
    for subject, partner in terms.partners:
        known = first.setdefault(partner.ib_id.casefold(), partner.ib_id)
        if known != partner.ib_id:
            text = f"{known} and {partner.ib_id} differ only by letter case; give one another id, or keep one"
            yield TermsProblem(subject, "ib_case", text, "warning")


def check_tree(terms: Published) -> Iterator[TermsProblem]:
    """Look at the tree as it stands after each change of a parent; report each finding once."""
    partners = terms.partner_of.values()
    instants = {BEGINNING, *(link.since for p in partners for link in p.parents if link.since)}
    reported: set[tuple[str, ...]] = set()
    for at in sorted(instants):
        above = {p.ib_id: _parent_at(p, at) for p in partners}
        heights, cycles = _survey(above)
        for cycle in cycles:
            if cycle not in reported:
                reported.add(cycle)
                yield _cycle_problem(cycle, at, terms)
        for ib_id, height in heights.items():
            # Those further down are too deep for the same reason; the first one tells it.
            if height == MAX_UPLINE_DEPTH + 1 and (ib_id,) not in reported:
                reported.add((ib_id,))
                text = (
                    f"{_when(at)}{ib_id} and the IBs above it are {height}; "
                    f"at most {MAX_UPLINE_DEPTH} may earn from one client"
                )
                yield TermsProblem(("partner", ib_id, "parent"), "upline_too_deep", text)


def _survey(above: dict[str, str | None]) -> tuple[dict[str, int], list[tuple[str, ...]]]:
    """How many IBs each upline has, the IB itself included, and the cycles, each from its least id."""
    heights: dict[str, int] = {}
    cycles: list[tuple[str, ...]] = []
    for start in above:
        walked: dict[str, int] = {}
        node: str | None = start
        while node is not None and node in above and node not in heights and node not in walked:
            walked[node] = len(walked)
            node = above[node]
        path = list(walked)
        if node is not None and node in walked:
            cycle = path[walked[node] :]
            least = cycle.index(min(cycle))
            cycles.append((*cycle[least:], *cycle[:least], cycle[least]))
            heights |= dict.fromkeys(path, 0)
            continue
        height = heights.get(node, 0) if node is not None else 0
        for count, ib_id in enumerate(reversed(path), 1):
            heights[ib_id] = height + count
    return heights, cycles


def _cycle_problem(cycle: tuple[str, ...], at: datetime, terms: Published) -> TermsProblem:
    """Blame the link that came last: it closed the circle."""
    links = [
        (terms.partner_of[ib_id], _index_at(_parent_times(terms.partner_of[ib_id]), at)) for ib_id in cycle
    ]
    blamed, index = max(links, key=lambda link: _parent_times(link[0])[link[1]])
    text = f"{_when(at)}the parents run in a circle: {' → '.join(cycle)}; cut one of these links"
    return TermsProblem(("partner", blamed.ib_id, "parent", str(index)), "cycle", text)


def _when(at: datetime) -> str:
    return "" if at == BEGINNING else f"from {at.isoformat()} on, "


def _parent_times(partner: PartnerDefined) -> list[datetime]:
    return [link.since or BEGINNING for link in partner.parents]


def _parent_at(partner: PartnerDefined, at: datetime) -> str | None:
    index = _index_at(_parent_times(partner), at)
    return partner.parents[index].ib_id if index >= 0 else None


def _index_at(times: Sequence[datetime], at: datetime) -> int:
    """The last entry that has begun by `at`; -1 if none has."""
    return max((index for index, since in enumerate(times) if since <= at), default=-1)


def check_conversions(terms: Published) -> Iterator[TermsProblem]:
    """Find amounts that could not be converted into the currency of the IB."""
    for subject, partner in terms.partners:
        for index, link in enumerate(partner.parents):
            master = terms.partner_of.get(link.ib_id or "")
            if master and not terms.can_convert(partner.currency, master.currency):
                text = (
                    f"{partner.ib_id} is settled in {partner.currency}, {master.ib_id} in {master.currency}, "
                    "and no rate leads from one to the other, so overrides have no amount; publish one"
                )
                yield TermsProblem((*subject, "parent", str(index)), "no_rate_path", text)
        for index, held in enumerate(partner.schedule):
            place = (*subject, "plan", str(index))
            for plan in terms.versions_of.get(held.plan_id or "", ()):
                yield from _check_plan_conversions(place, partner, plan, terms)


def _check_plan_conversions(
    place: Subject, partner: PartnerDefined, plan: PlanDefined, terms: Published
) -> Iterator[TermsProblem]:
    if not terms.can_convert(plan.currency, partner.currency):
        text = (
            f"the plan {plan.plan_id} pays in {plan.currency}, {partner.ib_id} is settled in "
            f"{partner.currency}, and no rate leads from one to the other; add one to the rates"
        )
        yield TermsProblem(place, "no_rate_path", text)
    shares = [c for c in plan.components if isinstance(c, SpreadShare | Pips)]
    stuck = {
        symbol.profit_currency
        for symbol in terms.canonicals
        if any(covers(c.rates, symbol) for c in shares)
        and not terms.can_convert(symbol.profit_currency, partner.currency)
    }
    if stuck:
        text = (
            f"the plan {plan.plan_id} pays spreads or pips in {some(sorted(stuck))}, from which no rate "
            f"leads to {partner.currency} of {partner.ib_id}; those deals are rejected until one is published"
        )
        yield TermsProblem(place, "no_rate_path", text, "warning")
