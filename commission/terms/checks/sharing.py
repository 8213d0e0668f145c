"""Checks of override modes: of one component, and of the plans along an upline."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import groupby

from commission.terms.checks.published import Held, Published, Subject, TermsProblem, is_share, meant
from commission.terms.checks.rates import check_rates, value_for
from commission.terms.components import Component, Cpa, DealComponent, Rebate
from commission.terms.market import SymbolDefined
from commission.terms.plans import PlanDefined
from commission.terms.rates import DIFFERENCE, ZERO, Override

LISTS = {"absolute": "levels", "cascade": "pass_up", "split": "shares", "rank": "ranks"}
"""By mode: its list. An `absolute` without levels pays for direct clients only; the others need theirs."""


def check_override(
    place: Subject, component: DealComponent, terms: Published, *, most: Decimal | None
) -> Iterator[TermsProblem]:
    """Find an override that lacks what its mode needs, or passes on what is not there."""
    override, at = component.override, (*place, "override")
    if isinstance(component, Rebate) and override != DIFFERENCE:
        text = "a rebate goes to the client and only the direct IB's counts; leave override out"
        yield TermsProblem(at, "idle_override", text, "warning")
    yield from _check_fields(at, override)
    for number, rates in enumerate(override.levels):
        yield from check_rates((*at, "levels", str(number)), rates, terms, most=most)
    for number, rank in enumerate(override.ranks):
        yield from check_rates((*at, "ranks", str(number), "rates"), rank.rates, terms, most=most)
    yield from _check_ranks(at, override)
    yield from _check_passing(at, override)


def _check_fields(place: Subject, override: Override) -> Iterator[TermsProblem]:
    needed = LISTS.get(override.mode)
    if needed and override.mode != "absolute" and not getattr(override, needed):
        text = f"the mode {override.mode} needs {needed}; add them"
        yield TermsProblem(place, "incomplete_override", text)
    for mode, key in LISTS.items():
        if mode != override.mode and getattr(override, key):
            text = (
                f"{key} belongs to the mode {mode}, and the mode is {override.mode}; drop it or change mode"
            )
            yield TermsProblem((*place, key), "incomplete_override", text)


def _check_ranks(place: Subject, override: Override) -> Iterator[TermsProblem]:
    names = [rank.rank for rank in override.ranks]
    for number, name in enumerate(names):
        if not name or name in names[:number]:
            text = f"the rank {name!r} is listed twice, or has no name; name each rank once, lowest first"
            yield TermsProblem((*place, "ranks", str(number)), "bad_rank", text)


def _check_passing(place: Subject, override: Override) -> Iterator[TermsProblem]:
    is_of_rates = override.pass_unit == "rate"  # passing on is no pass word
    for number, share in enumerate(override.pass_up):
        at = (*place, "pass_up", str(number))
        if not is_of_rates and not is_share(share):
            text = f"pass_up is {share}; write a share from 0 to 1, or pass_unit: rate for an amount"
            yield TermsProblem(at, "share_above_one", text)
        elif not share.is_finite() or share < 0:
            yield TermsProblem(at, "negative_rate", f"pass_up is {share}; it must be 0 or more")
    for number, share in enumerate(override.shares):
        if not is_share(share):
            text = f"shares has {share}; write a share from 0 to 1, 70 % as 0.7"
            yield TermsProblem((*place, "shares", str(number)), "share_above_one", text)
    if all(map(is_share, override.shares)) and (total := sum(override.shares, ZERO)) > 1:
        text = f"the shares add up to {total}, more than there is; make them 1 or less"
        yield TermsProblem((*place, "shares"), "shares_above_one", text)


# Along an upline


def check_uplines(terms: Published) -> Iterator[TermsProblem]:
    """Warn of plans that do not go together along an upline; each pair of plans is told once."""
    reported: set[tuple[object, ...]] = set()
    idle: dict[tuple[tuple[str, int], tuple[str, int]], tuple[str, ...]] = {}
    for subject, partner in terms.partners:
        for _, chain in terms.uplines(partner):
            found = (*_idle(subject, chain, terms, idle), *_modes(subject, chain), *_ranks(chain))
            for key, problem in found:
                if key not in reported:
                    reported.add(key)
                    yield problem


Finding = tuple[tuple[object, ...], TermsProblem]
"""What tells a finding from others, so that it is told once, and the finding."""


def _idle(
    subject: Subject,
    chain: Sequence[Held],
    terms: Published,
    idle: dict[tuple[tuple[str, int], tuple[str, int]], tuple[str, ...]],
) -> Iterator[Finding]:
    """Each kind of component by which the master IB's plan nowhere beats the one below it."""
    if len(chain) < 2 or chain[0].plan is None or chain[1].plan is None:
        return
    (partner, held, plan), (master, held_above, above) = chain[0], chain[1]
    if plan is None or above is None or held.factor != held_above.factor:
        return
    # Thousands of IBs share a few plans, and a pair of plans is compared over all symbols.
    pair = ((plan.plan_id, plan.version), (above.plan_id, above.version))
    if pair not in idle:
        idle[pair] = tuple(_idle_kinds(plan, above, terms))
    for kind in idle[pair]:
        text = (
            f"by {kind}, {above.plan_id} of {master.ib_id} nowhere pays more than {plan.plan_id} "
            f"of {partner.ib_id}, so {master.ib_id} never earns an override there"
        )
        key = (partner.ib_id, master.ib_id, plan.plan_id, above.plan_id, kind)
        yield key, TermsProblem((*subject, "parent"), "idle_override", text, "warning")


def _idle_kinds(plan: PlanDefined, above: PlanDefined, terms: Published) -> Iterator[str]:
    for kind, components in by_kind(plan).items():
        uppers = by_kind(above).get(kind)
        # Components that measure different things (other sides, caps, conditions) cannot be compared.
        if uppers is None or not all(_is_difference(c) for c in (*components, *uppers)):
            continue
        if len({_basis(c, plan) for c in components} | {_basis(c, above) for c in uppers}) != 1:
            continue
        if all(_total(uppers, s) <= _total(components, s) for s in terms.canonicals):
            yield kind


def _is_difference(component: Component) -> bool:
    if isinstance(component, Rebate):
        return False
    if isinstance(component, DealComponent):
        return component.override.mode == "difference" and component.tiers is None
    return isinstance(component, Cpa) and component.tiers is None


def by_kind(plan: PlanDefined) -> dict[str, list[Component]]:
    """The plan's components by their kind."""
    ordered = sorted(plan.components, key=lambda component: component.kind)
    return {kind: list(group) for kind, group in groupby(ordered, key=lambda component: component.kind)}


def _basis(component: Component, plan: PlanDefined) -> tuple[object, ...]:
    """What a component measures: all of it but its name and what it pays."""
    paid = ("name", "rates", "amounts")
    said = tuple((key, getattr(component, key)) for key in component.__struct_fields__ if key not in paid)
    amounts = tuple((a.country, a.min_deposit) for a in getattr(component, "amounts", ()))
    return (component.kind, plan.currency, plan.lot_factors, plan.when, said, amounts)


def _total(components: Iterable[Component], symbol: SymbolDefined) -> Decimal:
    total = ZERO
    for component in components:
        if isinstance(component, DealComponent):
            total += value_for(component.rates, symbol) or ZERO
        else:
            assert isinstance(component, Cpa), "nothing else has a difference"
            total += max((entry.amount for entry in component.amounts), default=ZERO)
    return total


def _modes(subject: Subject, chain: Sequence[Held]) -> Iterator[Finding]:
    """Kinds that plans of one upline share in different ways."""
    modes: dict[str, dict[str, str]] = {}
    for _, _, plan in chain:
        for component in plan.components if plan is not None else ():
            if (
                isinstance(component, DealComponent)
                and not isinstance(component, Rebate)
                and plan is not None
            ):
                modes.setdefault(component.kind, {}).setdefault(component.override.mode, plan.plan_id)
    for kind, found in modes.items():
        if len(found) > 1:
            told = ", ".join(f"{mode} in {plan_id}" for mode, plan_id in found.items())
            text = (
                f"{kind} is shared in different ways above {chain[0].partner.ib_id}: {told}; "
                "the lowest IB's mode decides for what its plan pays, so give the plans one mode"
            )
            key = (kind, tuple(found.items()))
            yield key, TermsProblem((*subject, "parent"), "override_modes_differ", text, "warning")


def _ranks(chain: Sequence[Held]) -> Iterator[Finding]:
    """Ranks of IBs that the lowest plan does not list, so that they take nothing."""
    lowest = next((held.plan for held in chain if held.plan is not None), None)
    for component in lowest.components if lowest is not None else ():
        if not isinstance(component, DealComponent) or component.override.mode != "rank" or lowest is None:
            continue
        listed = [rank.rank for rank in component.override.ranks]
        for partner, held, _ in chain:
            if held.rank not in listed:
                has = f"has the rank {held.rank}" if held.rank else "has no rank"
                text = (
                    f"{partner.ib_id} {has}, which {lowest.plan_id}/{component.name} does not list, "
                    f"so it takes nothing there; {meant(held.rank, listed)}use one of {', '.join(listed)}"
                )
                subject = ("partner", partner.ib_id, "plan")
                key = (partner.ib_id, lowest.plan_id, component.name)
                yield key, TermsProblem(subject, "unknown_rank", text, "warning")
