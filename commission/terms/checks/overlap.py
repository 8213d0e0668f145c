"""Two components of one kind in a plan that pay for the same deals: their amounts add up."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import combinations
from typing import NamedTuple

from commission.money import plain
from commission.terms.catalog import BEGINNING
from commission.terms.checks.lot import Static, currency_of, money, worth_of_rate
from commission.terms.checks.published import Published, Subject, TermsProblem, numbered
from commission.terms.checks.rates import END
from commission.terms.components import AnyDealComponent, DealComponent, Rebate, RevenueShare
from commission.terms.market import SymbolDefined
from commission.terms.plans import PlanDefined
from commission.terms.rate_matching import is_in_group, specificity
from commission.terms.rates import Rate, When


class _Meeting(NamedTuple):
    """Two rates that may both pay for a deal in a symbol."""

    symbol: SymbolDefined
    one: Rate
    other: Rate

    @property
    def total(self) -> Decimal:
        return self.one.value + self.other.value


def check_overlaps(subject: Subject, plan: PlanDefined, terms: Published) -> Iterator[TermsProblem]:
    """Find pairs of components of one kind that may pay for one deal; each with its dearest symbol."""
    names = numbered(component.name for component in plan.components)
    dealing = [
        (name, component)
        for name, component in zip(names, plan.components, strict=True)
        if isinstance(component, DealComponent)
    ]
    for (_, one), (name, other) in combinations(dealing, 2):
        if not _is_alike(one, other) or not _may_meet(one, other):
            continue
        meetings = [m for s in terms.canonicals if (m := _dearest(one, other, s)) is not None]
        if meetings:
            worst = max(meetings, key=lambda meeting: meeting.total)
            more = len({m.symbol.canonical for m in meetings}) - 1
            beyond = f", and {more} more symbols are paid twice" if more else ""
            text = (
                f"{_told(one, other, worst, plan)}{beyond}; components add up, so rate the symbol 0 in "
                "one of the two, or write one component with both rates"
            )
            place = (*subject, "component", name)
            yield TermsProblem(place, "overlap", text, "trap", (plan.plan_id,))


def _is_alike(one: AnyDealComponent, other: AnyDealComponent) -> bool:
    if one.kind != other.kind:
        return False
    if isinstance(one, Rebate) and isinstance(other, Rebate):
        return one.unit == other.unit
    if isinstance(one, RevenueShare) and isinstance(other, RevenueShare):
        return not set(one.terms).isdisjoint(other.terms)
    return getattr(one, "of", None) == getattr(other, "of", None)


def _may_meet(one: AnyDealComponent, other: AnyDealComponent) -> bool:
    """Whether one deal may meet the conditions of both."""
    if {one.entry, other.entry} == {"in", "out"}:
        return False
    a, b = one.when, other.when
    apart = (
        {a.result, b.result} == {"profit", "loss"},
        _is_apart(a.sides, b.sides),
        _is_apart(a.reasons, b.reasons),
        _is_apart(a.channels, b.channels),
        _are_countries_apart(a, b),
        bool(a.groups and b.groups) and not any(_share_a_group(g, h) for g in a.groups for h in b.groups),
    )
    return not any(apart)


def _is_apart(these: Sequence[str], those: Sequence[str]) -> bool:
    return bool(these and those) and set(these).isdisjoint(those)


def _are_countries_apart(a: When, b: When) -> bool:
    if _is_apart(a.countries, b.countries):
        return True
    return any(x.countries and set(x.countries) <= set(y.countries_not) for x, y in ((a, b), (b, a)))


def _share_a_group(one: str, other: str) -> bool:
    return is_in_group(one, other.removesuffix("*")) or is_in_group(other, one.removesuffix("*"))


def _dearest(one: DealComponent, other: DealComponent, symbol: SymbolDefined) -> _Meeting | None:
    meetings = [
        _Meeting(symbol, mine, its)
        for mine in _counting(one.rates, symbol)
        for its in _counting(other.rates, symbol)
        if _rates_meet(mine, its)
    ]
    return max(meetings, key=lambda meeting: meeting.total, default=None)


def _counting(rates: Sequence[Rate], symbol: SymbolDefined) -> list[Rate]:
    """The rates that may pay for a deal in `symbol`: of those with the same conditions the closest."""
    closest: dict[tuple[object, ...], tuple[tuple[int, int], Rate]] = {}
    for rate in rates:
        rank = specificity(rate.match, symbol)
        key = (rate.client, rate.login, rate.group, rate.country, rate.since, rate.until)
        if rank is not None and (key not in closest or rank > closest[key][0]):
            closest[key] = (rank, rate)
    return [rate for _, rate in closest.values() if rate.value > 0]


def _rates_meet(one: Rate, other: Rate) -> bool:
    for key in ("client", "login", "country"):
        mine, its = getattr(one, key), getattr(other, key)
        if mine and its and mine != its:
            return False
    if one.group and other.group and not _share_a_group(one.group, other.group):
        return False
    begins = max(one.since or BEGINNING, other.since or BEGINNING)
    return begins < min(one.until or END, other.until or END)


def _told(one: AnyDealComponent, other: AnyDealComponent, worst: _Meeting, plan: PlanDefined) -> str:
    """What one lot pays in money where the terms tell it; else the two rates."""
    symbol, parts = worst.symbol, ((one, worst.one), (other, worst.other))
    if isinstance(one, Static) and isinstance(other, Static):
        amounts = [r.value * worth_of_rate(c, plan, symbol) for c, r in parts if isinstance(c, Static)]
        if all(amounts):
            currency = currency_of(one, plan, symbol)
            first, second = (money(amount, currency) for amount in amounts)
            total = money(sum(amounts, Decimal(0)), currency)
            parts_told = f"{first} by {one.name} and {second} by {other.name}"
            return f"1 lot of {symbol.canonical} pays {total}: {parts_told}"
    return (
        f"a deal in {symbol.canonical} is paid {plain(worst.total)} by {one.kind}: "
        f"{plain(worst.one.value)} by {one.name} and {plain(worst.other.value)} by {other.name}"
    )
