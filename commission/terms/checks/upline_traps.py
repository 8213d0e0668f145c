"""Traps of two plans along an upline: together they pay more than the better of them."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import combinations

from commission.money import plain
from commission.terms.checks.lot import Static, currency_of, money, worth_of_rate
from commission.terms.checks.published import Held, Published, TermsProblem
from commission.terms.checks.rates import value_for
from commission.terms.checks.sharing import by_kind
from commission.terms.components import Cpa, Cpl, DealComponent, Rebate
from commission.terms.market import SymbolDefined
from commission.terms.plans import PlanDefined
from commission.terms.rates import ZERO


def check_upline_traps(terms: Published) -> Iterator[TermsProblem]:
    """Find pairs of plans that hold a trap where one IB is above the other; each pair once."""
    seen: set[tuple[object, ...]] = set()
    for _, partner in terms.partners:
        for _, chain in terms.uplines(partner):
            for lower, upper in combinations(chain, 2):
                if lower.plan is None or upper.plan is None:
                    continue
                pair = (*_key(lower, lower.plan), *_key(upper, upper.plan))
                if pair not in seen:
                    seen.add(pair)
                    yield from _check_names(lower, upper, lower.plan, upper.plan)
                    yield from _check_tiers(lower, upper, lower.plan, upper.plan, terms)


def _key(held: Held, plan: PlanDefined) -> tuple[object, ...]:
    return (plan.plan_id, plan.version, held.held.factor)


# What is paid for a client goes by the component's name


def _check_names(lower: Held, upper: Held, below: PlanDefined, above: PlanDefined) -> Iterator[TermsProblem]:
    """An override of a CPA or CPL is by name: under two names both are paid whole."""
    for kind in (Cpa, Cpl):
        mine = [c for c in below.components if isinstance(c, kind)]
        its = [c for c in above.components if isinstance(c, kind)]
        pairs = [
            (one, other)
            for one in mine
            for other in its
            if one.name not in {c.name for c in its}
            and other.name not in {c.name for c in mine}
            and _meet(one, other)
        ]
        if pairs:
            one, other = max(pairs, key=lambda pair: _most(pair[0]) + _most(pair[1]))
            yield _names_problem(lower, upper, (below, one), (above, other))


def _meet(one: Cpa | Cpl, other: Cpa | Cpl) -> bool:
    for a, b in ((one, other), (other, one)):
        if a.countries and b.countries and set(a.countries).isdisjoint(b.countries):
            return False
        if a.countries and set(a.countries) <= set(b.countries_not):
            return False
        if a.channels and b.channels and set(a.channels).isdisjoint(b.channels):
            return False
    return True


def _most(component: Cpa | Cpl) -> Decimal:
    return max((entry.amount for entry in component.amounts), default=ZERO)


def _names_problem(
    lower: Held, upper: Held, mine: tuple[PlanDefined, Cpa | Cpl], its: tuple[PlanDefined, Cpa | Cpl]
) -> TermsProblem:
    (below, one), (above, other) = mine, its
    amounts = (_most(one) * lower.held.factor, _most(other) * upper.held.factor)
    first, second = money(amounts[0], below.currency), money(amounts[1], above.currency)
    total, best = f"{first} and {second}", ""
    if below.currency == above.currency:
        total = money(sum(amounts, ZERO), below.currency)
        best = f", {money(max(amounts), below.currency)} in all"
    text = (
        f"one client of {lower.partner.ib_id} may cost {total}: {first} by {one.name} of {below.plan_id} and "
        f"{second} by {other.name} of {above.plan_id} to {upper.partner.ib_id}, for a {one.kind} is "
        f"overridden by its name; give both one name, and the IB above gets the difference{best}"
    )
    place = ("plan", above.plan_id, str(above.version), "component", other.name)
    return TermsProblem(place, f"{one.kind}_names", text, "trap", (below.plan_id, above.plan_id))


# Tiers of the plan below


def _check_tiers(
    lower: Held, upper: Held, below: PlanDefined, above: PlanDefined, terms: Published
) -> Iterator[TermsProblem]:
    """An override is worked out against the own rates below; what tiers add there comes on top."""
    if below.currency != above.currency:
        return
    for kind, components in by_kind(below).items():
        mine = [c for c in components if _is_difference(c)]
        its = [c for c in by_kind(above).get(kind, ()) if _is_difference(c)]
        if not its or all(c.tiers is None for c in mine if isinstance(c, DealComponent)):
            continue
        worst: tuple[Decimal, Decimal, SymbolDefined] | None = None
        for symbol in terms.canonicals:
            own, reached = _rates(mine, lower, symbol)
            higher, highest = _rates(its, upper, symbol)
            total, best = max(own, higher) + reached - own, max(reached, highest)
            if higher > own and total > best and (worst is None or total - best > worst[0] - worst[1]):
                worst = (total, best, symbol)
        if worst is not None:
            yield _tiers_problem(lower, upper, below, above, mine, worst)


def _is_difference(component: object) -> bool:
    return (
        isinstance(component, DealComponent)
        and not isinstance(component, Rebate)
        and component.override.mode == "difference"
    )


def _rates(components: Sequence[object], held: Held, symbol: SymbolDefined) -> tuple[Decimal, Decimal]:
    """What the components' own rates add up to, and what those of their best bands do."""
    own = reached = ZERO
    for component in components:
        assert isinstance(component, DealComponent), "those of a difference are"
        rate = value_for(component.rates, symbol) or ZERO
        bands = component.tiers.bands if component.tiers is not None else ()
        tops = (value_for(b.rates, symbol) or ZERO if b.rates else rate * b.factor for b in bands)
        own += rate * held.held.factor
        reached += max(rate, *tops, rate) * held.held.factor
    return own, reached


def _tiers_problem(
    lower: Held,
    upper: Held,
    below: PlanDefined,
    above: PlanDefined,
    mine: Sequence[object],
    worst: tuple[Decimal, Decimal, SymbolDefined],
) -> TermsProblem:
    total, best, symbol = worst
    first = next(c for c in mine if isinstance(c, DealComponent) and c.tiers is not None)
    worth = worth_of_rate(first, below, symbol) if isinstance(first, Static) else ZERO
    if isinstance(first, Static) and worth:
        currency = currency_of(first, below, symbol)
        paid, allowed = money(total * worth, currency), money(best * worth, currency)
        case = (
            f"1 lot of {symbol.canonical} pays {paid} to both at the best band, and the better plan {allowed}"
        )
    else:
        case = f"a deal in {symbol.canonical} is paid {plain(total)} at the best band, not {plain(best)}"
    text = (
        f"{case}: what the tiers of {below.plan_id} add to {lower.partner.ib_id} is not taken from the "
        f"override of {upper.partner.ib_id} by {above.plan_id}; lower the bands, or budget for both"
    )
    place = ("plan", below.plan_id, str(below.version), "component", first.name, "tiers")
    return TermsProblem(place, "tiers_below", text, "trap", (below.plan_id, above.plan_id))
