"""Traps beside golden cases: a passing case may show that one is meant, a failing one that it was not."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from commission.money import plain
from commission.terms.components import DealComponent
from commission.terms.partners import PartnerDefined
from commission.terms.plans import PlanDefined
from infra.plans.case_lines import Case
from infra.plans.cases import PlanCases
from infra.plans.run import run_case
from ingest.terms.yaml_page import Problem
from schemas.errors import Unusable

SHOWN_BY_CASES = ("both_sides",)
"""Traps that a passing case decides: what it expects for an opening and a closing is worked out."""


class Trapped(Unusable):
    """The plans have traps that nobody accepted, so nothing was published."""


def traps_of(findings: Iterable[Problem]) -> tuple[Problem, ...]:
    """The findings that keep plans from being published."""
    return tuple(finding for finding in findings if finding.severity == "trap")


def refuse_traps(findings: Iterable[Problem], files: Sequence[PlanCases]) -> None:
    """Raise `Trapped` with every trap that neither its plan accepts nor a golden case shows to be meant."""
    if found := traps_of(without_shown(findings, files)):
        told = "nothing was published; correct the plans, or accept each trap by its name with the reason"
        raise Trapped("\n".join((*(str(trap) for trap in found), told)))


def without_shown(findings: Iterable[Problem], files: Sequence[PlanCases]) -> list[Problem]:
    """The findings less those that a passing golden case shows to be meant."""
    return [f for f in findings if f.code not in SHOWN_BY_CASES or not _is_shown(f, files)]


def _is_shown(trap: Problem, files: Sequence[PlanCases]) -> bool:
    return any(
        _has_both_sides(case)
        and not _plans_paid(case, file).isdisjoint(trap.plans)
        and not run_case(case, file.terms)
        for file in files
        for case in file.cases
    )


def _has_both_sides(case: Case) -> bool:
    entries = {deal.entry for client in case.all_clients for deal in client.deals}
    return ("in" in entries and len(entries) > 1) or "inout" in entries


def _plans_paid(case: Case, file: PlanCases) -> set[str]:
    """The plans of the IBs that the case expects to be paid."""
    return {
        held.plan_id
        for record in file.terms
        if isinstance(record, PartnerDefined) and record.ib_id in case.pays
        for held in record.schedule
        if held.plan_id is not None
    }


def edges_missed(file: PlanCases) -> Iterator[Problem]:
    """Failing cases that trade exactly as many lots as a band begins at: its `from` counts them already."""
    for case, line in zip(file.cases, file.lines, strict=True):
        for plan, component, start in _edges(file):
            if plan.plan_id not in _plans_paid(case, file) or _lots_of(case, component) != start:
                continue
            if missed := run_case(case, file.terms):
                text = (
                    f"{case.case!r} trades exactly {plain(start)} lots, and the band from {plain(start)} of "
                    f"{plan.plan_id}/{component.name} counts them already ({missed[0].told}); if they "
                    f"belong to the band below, write from: {plain(start + 1)}, or a part of a lot more"
                )
                yield Problem(str(file.path), line, text, "trap", "band_edge", (plan.plan_id,))


def _edges(file: PlanCases) -> Iterator[tuple[PlanDefined, DealComponent, Decimal]]:
    for plan in file.terms:
        for component in plan.components if isinstance(plan, PlanDefined) else ():
            if isinstance(component, DealComponent) and isinstance(plan, PlanDefined):
                tiers = component.tiers
                if tiers is not None and tiers.by == "lots" and tiers.mode != "graduated":
                    yield from ((plan, component, band.start) for band in tiers.bands)


def _lots_of(case: Case, component: DealComponent) -> Decimal:
    """The lots of the side that the component counts."""
    counted = ("in",) if component.entry == "in" else ("out", "out_by")
    deals = (deal for client in case.all_clients for deal in client.deals)
    return sum((deal.lots for deal in deals if deal.entry in counted), Decimal(0))
