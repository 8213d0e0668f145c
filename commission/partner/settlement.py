"""What a period brings beyond its accruals: tiers, caps, results with carry-over, gates over many clients.

Everything is a function of sums by period, so the order in which tallies arrive does not matter. `due`
tells what an IB should have from a component in each period; the partner book posts the difference to
what was accrued and posted so far.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from commission.money import EXACT, to_accrual
from commission.partner.buckets import ComponentPeriods, PeriodTotals, Sums
from commission.partner.tiers import tier_levels, tier_weights
from commission.rating.values import ZERO, Factors
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
from commission.terms.rates import Caps


class Due(NamedTuple):
    """What an IB should have of a period, and why."""

    amount: Decimal
    factors: Factors


def due(
    settling: ComponentPeriods, component: Component, plan: PlanDefined, terms: Terms
) -> Mapping[str, Due | None]:
    """What each period is worth; None where a rate of exchange is missing, so nothing can be said."""
    buckets = settling.buckets
    match component:
        case RevenueShare():
            return _with_carry(settling, component, plan, terms)
        case DepositShare():
            return _net(buckets)
        case Cpl():
            return {name: _gated(component, bucket) for name, bucket in buckets.items()}
        case CohortBonus():
            return {
                name: _cohort(component, bucket, plan.currency, settling.currency, name, terms)
                for name, bucket in buckets.items()
            }
        case _:  # what else pays for deals, and a CPA
            return _tiered(settling, component, plan, terms)


def is_accrued(component: Component) -> bool:
    """Whether the first amount of its tallies is accrued by the client book already."""
    return isinstance(component, Cpa) or (
        isinstance(component, DealComponent) and not isinstance(component, RevenueShare)
    )


# Tiers and caps


def _tiered(
    settling: ComponentPeriods, component: DealComponent | Cpa, plan: PlanDefined, terms: Terms
) -> dict[str, Due | None]:
    tiers = component.tiers
    caps = component.caps if isinstance(component, DealComponent) else None
    levels = (
        tier_levels(tiers, settling.buckets, terms) if tiers is not None and tiers.mode == "level" else {}
    )
    found: dict[str, Due | None] = {}
    for name, bucket in settling.buckets.items():
        factors: Factors = {}
        weights = tier_weights(tiers, bucket, factors)
        by_day = {
            day: _weighed(sums, {levels[name, day]: Decimal(1)} if levels else weights)
            for day, sums in _parts(bucket.days, bucket.sums).items()
        }
        if levels:
            factors["level"] = str(max(levels[name, day] for day in by_day))
        total = _capped(by_day, caps, plan.currency, settling.currency, name, terms, factors)
        found[name] = None if total is None else Due(to_accrual(total), factors)
    return found


def _parts(parts: Mapping[str, Sums], whole: Sums) -> Mapping[str, Sums]:
    """The whole by day or client; "" has what an older version of the plan did not keep apart."""
    rest = whole.minus(parts.values())
    return {**parts, "": rest} if not parts or any(rest.amounts) else parts


def _weighed(sums: Sums, weights: Mapping[int, Decimal]) -> Decimal:
    return sum((EXACT.multiply(sums.at(band), weight) for band, weight in weights.items()), ZERO)


def _capped(
    by_day: Mapping[str, Decimal],
    caps: Caps | None,
    source: str,
    currency: str,
    period: str,
    terms: Terms,
    factors: Factors,
) -> Decimal | None:
    """The sum of the days, within the caps of each day, week and the period."""
    total = sum(by_day.values(), ZERO)
    if caps is None:
        return total
    limits: list[Decimal | None] = []
    for cap in (caps.per_day, caps.per_week, caps.per_period):
        limit = None if cap is None else _converted(cap, source, currency, period, terms)
        if cap is not None and limit is None:
            return None
        limits.append(limit)
    weeks: dict[str, Decimal] = {}
    for day, amount in by_day.items():
        week = day.partition("|")[2]
        weeks[week] = weeks.get(week, ZERO) + _at_most(amount, limits[0])
    capped = _at_most(sum((_at_most(amount, limits[1]) for amount in weeks.values()), ZERO), limits[2])
    if capped < total:
        factors |= {"before_caps": total, "capped": capped}
    return capped


def _at_most(amount: Decimal, limit: Decimal | None) -> Decimal:
    return amount if limit is None else min(amount, limit)


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


def _with_carry(
    settling: ComponentPeriods, component: RevenueShare, plan: PlanDefined, terms: Terms
) -> dict[str, Due | None]:
    """max(0, carried + result) for each period in turn, for the IB as a whole or client by client."""
    carried: dict[str, Decimal] = {}
    apart: set[str] = set()
    found: dict[str, Due | None] = {}
    for name in sorted(settling.buckets):
        bucket = settling.buckets[name]
        limit = None
        if component.quarantine_below is not None:
            limit = _converted(component.quarantine_below, plan.currency, settling.currency, name, terms)
            if limit is None:
                return dict.fromkeys(settling.buckets)
        results: dict[str, Decimal] = {}
        for client_id, sums in sorted(_parts(bucket.clients, bucket.sums).items()):
            result = sums.at(0)
            if limit is not None and result < -limit:
                apart.add(client_id)
            place = client_id if component.scope == "client" or client_id in apart else ""
            results[place] = results.get(place, ZERO) + result
        total, before = ZERO, sum(carried.values(), ZERO)
        for place, result in results.items():
            balance = carried.get(place, ZERO) + result
            total += max(ZERO, balance)
            carried[place] = min(ZERO, balance) if component.carry_over or place in apart else ZERO
        factors: Factors = {"result": sum(results.values(), ZERO), "carried": before}
        found[name] = Due(total, factors)
    return found


def _net(buckets: Mapping[str, PeriodTotals]) -> dict[str, Due | None]:
    carried = ZERO
    found: dict[str, Due | None] = {}
    for name in sorted(buckets):
        result = buckets[name].sums.at(0)
        balance = carried + result
        found[name] = Due(max(ZERO, balance), {"result": result, "carried": carried})
        carried = min(ZERO, balance)
    return found


# Conditions over many clients


def _gated(component: Cpl, bucket: PeriodTotals) -> Due:
    sums = bucket.sums
    is_open = sums.count > 0 and sums.deposited >= component.min_ftd_rate * sums.count
    factors: Factors = {"registered": str(sums.count), "deposited": str(sums.deposited)}
    return Due(sums.at(0) if is_open else ZERO, factors)


def _cohort(
    component: CohortBonus, bucket: PeriodTotals, source: str, currency: str, period: str, terms: Terms
) -> Due | None:
    reaching = sum(1 for sums in bucket.clients.values() if sums.lots >= component.min_lots)
    amount = _converted(component.amount, source, currency, period, terms)
    factors: Factors = {"clients": str(reaching)}
    return None if amount is None else Due(amount * (reaching // component.clients), factors)
