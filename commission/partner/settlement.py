"""What a period brings beyond its accruals: tiers, caps, results with carry-over, gates over many clients.

Everything is a function of sums by period, so the order in which tallies arrive does not matter. `due`
tells what an IB should have from a component in each period; the partner book posts the difference to
what was accrued and posted so far. `folded` adds up what is too old to change into an opening.

A period is measured as one. What a tier or cap makes of it goes by the version of the plan under which
it was earned, active clients by what was earned under versions that count them; what is of the period as
a whole (a carry-over, a quarantine, a cohort) goes by its newest.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple

from commission.money import EXACT, to_accrual
from commission.partner.buckets import ComponentPeriods, PeriodTotals
from commission.partner.tiers import graduated_days, tier_levels, tier_weights
from commission.rating.values import ZERO, Factors
from commission.sums import Sums, total
from commission.terms.catalog import Terms
from commission.terms.components import (
    CohortBonus,
    Component,
    Cpa,
    Cpl,
    DealComponent,
    DepositShare,
    RevenueShare,
)
from commission.terms.plans import PlanDefined
from commission.terms.rates import Caps, Tiers


class Due(NamedTuple):
    """What an IB should have of a period, and why."""

    amount: Decimal
    factors: Factors
    accrued: Decimal = ZERO
    """What of it the client book has posted already."""


class Version(NamedTuple):
    """A version of the plan, and the component as it was in it."""

    plan: PlanDefined
    component: Component

    @property
    def tiers(self) -> Tiers | None:
        """The component's tiers, if it has some."""
        return self.component.tiers if isinstance(self.component, DealComponent | Cpa) else None


Versions = Mapping[int, Version]


def kind_of(version: Version) -> str:
    """Versions of one kind are settled together, each kind by itself."""
    return type(version.component).__name__


def due(
    settling: ComponentPeriods, versions: Versions, terms: Terms, touched: str = ""
) -> dict[str, Due | None]:
    """What each period is worth; None where a rate of exchange is missing, so nothing can be said.

    With `touched`, the period whose sums have changed, those that cannot change may be left out.
    """
    recent = settling.opening.recent if settling.opening is not None else {}
    counted = _counted(settling).union(*(bucket.versions for bucket in recent.values()))
    kinds = {kind_of(versions[number]) for number in counted}
    found: dict[str, Due | None] = {}
    if len(kinds) > 1:
        touched = ""  # a period that one kind leaves out lacks its part of what another kind tells
    for kind in sorted(kinds):
        numbers = {number for number in counted if kind_of(versions[number]) == kind}
        part = settling if len(kinds) == 1 else settling.of(numbers)
        if not part.buckets:
            continue
        is_posted = is_accrued(versions[max(numbers)].component)
        for name, worth in _due_of_kind(part, versions, terms, touched):
            accrued = part.buckets[name].sums.at(0) if is_posted else ZERO
            one = None if worth is None else worth._replace(accrued=accrued)
            found[name] = _both(found[name], one) if name in found else one
    return found


def _both(one: Due | None, other: Due | None) -> Due | None:
    """Of two kinds of component that counted in one period."""
    if one is None or other is None:
        return None
    return Due(one.amount + other.amount, {**one.factors, **other.factors}, one.accrued + other.accrued)


def _counted(settling: ComponentPeriods) -> set[int]:
    return {number for bucket in settling.buckets.values() for number in bucket.versions}


def _due_of_kind(
    settling: ComponentPeriods, versions: Versions, terms: Terms, touched: str
) -> Iterator[tuple[str, Due | None]]:
    """The same where all versions that counted are of one kind."""
    buckets = settling.buckets
    component = versions[max(_counted(settling))].component
    if isinstance(component, RevenueShare):
        yield from with_carry(settling, versions, terms, touched)[0].items()
    elif isinstance(component, DepositShare):
        yield from net_of(settling)[0].items()
    elif isinstance(component, Cpl):
        yield from ((name, _gated(bucket, versions)) for name, bucket in buckets.items())
    elif isinstance(component, CohortBonus):
        for name, bucket in buckets.items():
            yield name, _cohort(bucket, versions[bucket.version], settling.currency, name, terms)
    else:  # what else pays for deals, and a CPA
        yield from _tiered(settling, versions, terms, touched)


def is_accrued(component: Component) -> bool:
    """Whether the first amount of its tallies is accrued by the client book already."""
    return isinstance(component, Cpa) or (
        isinstance(component, DealComponent) and not isinstance(component, RevenueShare)
    )


# Tiers and caps


def _tiered(
    settling: ComponentPeriods, versions: Versions, terms: Terms, touched: str
) -> Iterator[tuple[str, Due | None]]:
    tiers_of = {number: version.tiers for number, version in versions.items()}
    kind = kind_of(versions[max(_counted(settling))])
    before = settling.opening.levels.get(kind) if settling.opening is not None else None
    levels = tier_levels(settling, tiers_of, terms, before)[0]
    for name, bucket in settling.buckets.items():
        if not levels and touched not in ("", name):
            continue
        factors: Factors = {}
        parts: list[tuple[Version, Mapping[str, Decimal]]] = []
        for number, own in sorted(bucket.versions.items()):
            version, factors = versions[number], {}
            weights = tier_weights(version.tiers, bucket, factors)
            days = _parts(own.days, own.sums)
            in_force = {day: levels[name, day, number] for day in days if (name, day, number) in levels}
            if in_force:
                factors["level"] = str(max(in_force.values()))
            graduated = graduated_days(version.tiers, bucket, number)
            at = {
                day: {in_force[day]: Decimal(1)} if day in in_force else graduated.get(day, weights)
                for day in days
            }
            parts.append((version, {day: _weighed(sums, at[day]) for day, sums in days.items()}))
        total_due = _capped(parts, settling.currency, name, terms, factors)
        yield name, None if total_due is None else Due(to_accrual(total_due), factors)


def _parts(parts: Mapping[str, Sums], whole: Sums) -> Mapping[str, Sums]:
    """The whole by day or client; "" has what an older version of the plan did not keep apart."""
    if not parts:
        return {"": whole}
    rest = whole - total(parts.values())
    return {**parts, "": rest} if any(rest.amounts) else parts


def _weighed(sums: Sums, weights: Mapping[int, Decimal]) -> Decimal:
    return sum((EXACT.multiply(sums.at(band), weight) for band, weight in weights.items()), ZERO)


Limits = tuple[Decimal | None, Decimal | None, Decimal | None]
"""Of a day, a week and the period, in the IB's currency."""


def _capped(
    parts: list[tuple[Version, Mapping[str, Decimal]]],
    currency: str,
    period: str,
    terms: Terms,
    factors: Factors,
) -> Decimal | None:
    """The sum of the days, within the caps of each day, week and the period; None for want of a rate.

    The caps of a version bound what it adds to that of the versions before: lower ones add nothing, and
    take nothing back. Versions of the same caps are capped as one.
    """
    before_caps, paid = ZERO, ZERO
    days: dict[str, Decimal] = {}
    weeks: dict[str, Decimal] = {}
    for (caps, source), group in groupby(parts, key=lambda part: _caps_of(part[0])):
        limits = _limits(caps, source, currency, period, terms)
        if limits is None:
            return None
        amounts: dict[str, Decimal] = {}
        for _, by_day in group:
            for day, amount in by_day.items():
                amounts[day] = amounts.get(day, ZERO) + amount
        of_weeks: dict[str, Decimal] = {}
        for day, amount in amounts.items():
            week = day.partition("|")[2]
            of_weeks[week] = of_weeks.get(week, ZERO) + _spend(days, day, amount, limits[0])
        of_period = sum((_spend(weeks, week, amount, limits[1]) for week, amount in of_weeks.items()), ZERO)
        before_caps += sum(amounts.values(), ZERO)
        paid = _within(paid, of_period, limits[2])
    if paid < before_caps:
        factors |= {"before_caps": before_caps, "capped": paid}
    if len(parts) > 1:
        factors["earlier_versions"] = sum((sum(by_day.values(), ZERO) for _, by_day in parts[:-1]), ZERO)
    return paid


def _caps_of(version: Version) -> tuple[Caps | None, str]:
    component = version.component
    return component.caps if isinstance(component, DealComponent) else None, version.plan.currency


def _limits(caps: Caps | None, source: str, currency: str, period: str, terms: Terms) -> Limits | None:
    """The caps in the IB's currency; None where one cannot be told for want of a rate."""
    if caps is None:
        return None, None, None
    day, week, whole = (
        (cap, None if cap is None else _converted(cap, source, currency, period, terms))
        for cap in (caps.per_day, caps.per_week, caps.per_period)
    )
    if any(cap is not None and limit is None for cap, limit in (day, week, whole)):
        return None
    return day[1], week[1], whole[1]


def _spend(spent: dict[str, Decimal], place: str, amount: Decimal, limit: Decimal | None) -> Decimal:
    """Add to what was spent at a place, within its limit; what that is."""
    before = spent.get(place, ZERO)
    spent[place] = _within(before, amount, limit)
    return spent[place] - before


def _within(before: Decimal, amount: Decimal, limit: Decimal | None) -> Decimal:
    return before + amount if limit is None else min(before + amount, max(before, limit))


def _converted(amount: Decimal, source: str, currency: str, period: str, terms: Terms) -> Decimal | None:
    """Amounts of the plan that belong to a period are converted by the first rate of the period.

    That is the rate as of its beginning, or the first published in it; None while there is neither.
    """
    if source == currency:
        return amount
    known = terms.period(period)
    found = terms.convert_in(source, currency, known.starts_at, known.ends_at) if known is not None else None
    return None if found is None else to_accrual(found.of(amount))


# Results with carry-over

Carried = tuple[dict[str, Decimal], set[str]]
"""What is carried on, by client or "" for the IB as a whole; the clients who are kept apart."""


def with_carry(
    settling: ComponentPeriods, versions: Versions, terms: Terms, touched: str = ""
) -> tuple[Mapping[str, Due | None], Carried]:
    """max(0, carried + result) for each period in turn, for the IB as a whole or client by client.

    With `touched`, told for that period and those after it.
    """
    opening = settling.opening
    carried = dict(opening.carried) if opening is not None else {}
    apart = set(opening.apart) if opening is not None else set()
    found: dict[str, Due | None] = {}
    is_told = not touched
    for name, bucket in settling.buckets.items():
        is_told = is_told or name == touched
        plan, component = versions[bucket.version]
        assert isinstance(component, RevenueShare), "versions of other kinds are settled by themselves"
        limit = None
        if component.quarantine_below is not None:
            limit = _converted(component.quarantine_below, plan.currency, settling.currency, name, terms)
            if limit is None:
                return dict.fromkeys(settling.buckets), (carried, apart)
        results: dict[str, Decimal] = {}
        for client_id, sums in sorted(_parts(bucket.clients, bucket.sums).items()):
            result = sums.at(0)
            if limit is not None and result < -limit:
                apart.add(client_id)
            place = client_id if component.scope == "client" or client_id in apart else ""
            results[place] = results.get(place, ZERO) + result
        due_now, before = ZERO, sum(carried.values(), ZERO) if is_told else ZERO
        for place, result in results.items():
            balance = carried.get(place, ZERO) + result
            due_now += max(ZERO, balance)
            carried[place] = min(ZERO, balance) if component.carry_over or place in apart else ZERO
        if is_told:
            found[name] = Due(due_now, {"result": sum(results.values(), ZERO), "carried": before})
    return found, (carried, apart)


def net_of(settling: ComponentPeriods) -> tuple[dict[str, Due | None], Decimal]:
    """max(0, carried + result) for each period in turn, and what is carried on."""
    carried = settling.opening.net if settling.opening is not None else ZERO
    found: dict[str, Due | None] = {}
    for name, bucket in settling.buckets.items():
        result = bucket.sums.at(0)
        balance = carried + result
        found[name] = Due(max(ZERO, balance), {"result": result, "carried": carried})
        carried = min(ZERO, balance)
    return found, carried


# Conditions over many clients


def _gated(bucket: PeriodTotals, versions: Versions) -> Due:
    """Registrations by the gate of their own version; how many deposited is told of all of the period."""
    sums, amount = bucket.sums, ZERO
    for number, own in bucket.versions.items():
        component = versions[number].component
        assert isinstance(component, Cpl), "versions of other kinds are settled by themselves"
        if sums.count > 0 and sums.deposited >= component.min_ftd_rate * sums.count:
            amount += own.sums.at(0)
    return Due(amount, {"registered": str(sums.count), "deposited": str(sums.deposited)})


def _cohort(bucket: PeriodTotals, version: Version, currency: str, period: str, terms: Terms) -> Due | None:
    component = version.component
    assert isinstance(component, CohortBonus), "versions of other kinds are settled by themselves"
    reaching = sum(1 for sums in bucket.clients.values() if sums.lots >= component.min_lots)
    amount = _converted(component.amount, version.plan.currency, currency, period, terms)
    factors: Factors = {"clients": str(reaching)}
    return None if amount is None else Due(amount * (reaching // component.clients), factors)
