"""What a period brings beyond its accruals: tiers, caps, results with carry-over, gates over many clients.

Everything is a function of sums by period, so the order in which tallies arrive does not matter. `due`
tells what an IB should have from a component in each period; the partner book posts the difference to
what was accrued and posted so far.
"""

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from decimal import Decimal
from typing import NamedTuple

from commission.money import EXACT, to_accrual
from commission.outputs import Tally
from commission.rating.values import ZERO, Factors
from commission.terms.catalog import Terms
from commission.terms.records import (
    Band,
    Caps,
    CohortBonus,
    Component,
    Cpa,
    Cpl,
    DealComponent,
    DepositShare,
    PlanDefined,
    RevenueShare,
    Tiers,
)
from commission.value import value

MAX_PERIODS = 60
"""Periods of one component kept open for late tallies."""


@value
class Sums:
    """Measures added up."""

    amounts: tuple[Decimal, ...] = ()
    lots: Decimal = ZERO
    notional: Decimal = ZERO
    count: int = 0
    deposited: int = 0

    def plus(self, tally: Tally) -> "Sums":
        """With one more tally."""
        return Sums(
            amounts=_added(self.amounts, tally.amounts),
            lots=self.lots + tally.lots,
            notional=self.notional + tally.notional,
            count=self.count + tally.count,
            deposited=self.deposited + tally.deposited,
        )

    def minus(self, others: "Iterable[Sums]") -> "Sums":
        """What is left without some others."""
        left = self
        for other in others:
            left = Sums(
                amounts=_added(left.amounts, tuple(-amount for amount in other.amounts)),
                lots=left.lots - other.lots,
                notional=left.notional - other.notional,
                count=left.count - other.count,
                deposited=left.deposited - other.deposited,
            )
        return left

    def at(self, band: int) -> Decimal:
        """The amount at a band; a component that has fewer amounts counts its last for higher bands."""
        return self.amounts[min(band, len(self.amounts) - 1)] if self.amounts else ZERO


def _added(one: tuple[Decimal, ...], other: tuple[Decimal, ...]) -> tuple[Decimal, ...]:
    """Band by band; where one has fewer bands, its last amount counts for the higher ones."""
    size = max(len(one), len(other))
    return tuple(a + b for a, b in zip(_padded(one, size), _padded(other, size), strict=True))


def _padded(amounts: tuple[Decimal, ...], size: int) -> tuple[Decimal, ...]:
    last = amounts[-1] if amounts else ZERO
    return (*amounts, *(last for _ in range(size - len(amounts))))


@value
class Bucket:
    """One period of a component: its sums, by day and client where something asks for them."""

    sums: Sums = field(default_factory=Sums)
    days: dict[str, Sums] = field(default_factory=dict)
    """`day|week` → sums."""
    clients: dict[str, Sums] = field(default_factory=dict)
    day_clients: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    """`day|week` → client → lots, for a level by active clients."""
    posted: Decimal = ZERO
    """True-ups posted so far."""
    times: int = 0
    version: int = 0
    """The newest plan version that counted in the period: it settles by that one's bands and caps."""


@value
class Settling:
    """One IB's component: its buckets by period."""

    currency: str
    buckets: dict[str, Bucket] = field(default_factory=dict)


class Due(NamedTuple):
    """What an IB should have of a period, and why."""

    amount: Decimal
    factors: Factors


def with_tally(settling: Settling, component: Component, period: str, day: str, tally: Tally) -> Settling:
    """Add a tally to the bucket of its period."""
    bucket = settling.buckets.get(period) or Bucket()
    days, clients = bucket.days, bucket.clients
    if _needs_days(component):
        days = {**days, day: (days.get(day) or Sums()).plus(tally)}
    if _needs_clients(component):
        clients = {**clients, tally.client_id: (clients.get(tally.client_id) or Sums()).plus(tally)}
    day_clients = bucket.day_clients
    if days is not bucket.days and clients is not bucket.clients:
        of_day = day_clients.get(day) or {}
        lots = of_day.get(tally.client_id, ZERO) + tally.lots
        day_clients = {**day_clients, day: {**of_day, tally.client_id: lots}}
    bucket = replace(
        bucket,
        sums=bucket.sums.plus(tally),
        days=days,
        clients=clients,
        day_clients=day_clients,
        version=max(bucket.version, tally.plan_version),
    )
    buckets = {**settling.buckets, period: bucket}
    kept = sorted(buckets)[-MAX_PERIODS:]
    return Settling(
        currency=tally.currency,
        buckets={name: buckets[name] for name in kept},
    )


def due(
    settling: Settling, component: Component, plan: PlanDefined, terms: Terms
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
    settling: Settling, component: DealComponent | Cpa, plan: PlanDefined, terms: Terms
) -> dict[str, Due | None]:
    tiers = component.tiers
    caps = component.caps if isinstance(component, DealComponent) else None
    levels = _levels(tiers, settling.buckets, terms) if tiers is not None and tiers.mode == "level" else {}
    found: dict[str, Due | None] = {}
    for name, bucket in settling.buckets.items():
        factors: Factors = {}
        weights = _weights(tiers, bucket, factors)
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


def _weights(tiers: Tiers | None, bucket: Bucket, factors: Factors) -> dict[int, Decimal]:
    """How much of the period counts at each band: all at the reached one, or graduated shares."""
    if tiers is None or tiers.mode == "level":
        return {0: Decimal(1)}
    total = measure(tiers, [bucket])
    factors["measure"] = total
    if tiers.mode == "slab":
        band = reached(tiers.bands, total)
        factors["band"] = str(band)
        return {band: Decimal(1)}
    if total <= 0:
        return {0: Decimal(1)}
    starts = [ZERO, *(band.start for band in tiers.bands)]
    ends = [*starts[1:], None]
    weights: dict[int, Decimal] = {}
    for band, (start, end) in enumerate(zip(starts, ends, strict=True)):
        inside = (total if end is None else min(total, end)) - start
        if inside > 0:
            weights[band] = EXACT.divide(inside, total)
            factors[f"band_{band}"] = inside
    return weights


def reached(bands: Iterable[Band], total: Decimal) -> int:
    """The highest band whose start is reached; 0 is the component's own rates."""
    return sum(1 for band in bands if total >= band.start)


def measure(tiers: Tiers, buckets: Iterable[Bucket]) -> Decimal:
    """The tier's measure over some periods."""
    window = list(buckets)
    match tiers.by:
        case "lots":
            return sum((b.sums.lots for b in window), ZERO)
        case "notional":
            return sum((b.sums.notional for b in window), ZERO)
        case "count":
            return Decimal(sum(b.sums.count for b in window))
        case "amount":
            return sum((b.sums.at(0) for b in window), ZERO)
        case _:  # active clients
            lots: dict[str, Decimal] = {}
            for bucket in window:
                for client_id, sums in bucket.clients.items():
                    lots[client_id] = lots.get(client_id, ZERO) + sums.lots
            return Decimal(sum(1 for total in lots.values() if total >= max(tiers.active_min_lots, LEAST)))


LEAST = Decimal("0.00000001")
"""An active client has traded something."""


def _levels(tiers: Tiers, buckets: Mapping[str, Bucket], terms: Terms) -> dict[tuple[str, str], int]:
    """The level in force on each day that has a tally."""
    names = [period.period for period in terms.periods if min(buckets) <= period.period <= max(buckets)]
    level, below, at_end = 0, 0, 0
    outside = [name for name in buckets if name not in names]
    found = {(name, day): level for name in outside for day in ("", *buckets[name].days)}
    for number, name in enumerate(names):
        window = [buckets[n] for n in names[max(0, number - tiers.lookback_periods) : number] if n in buckets]
        before, at_start = level, reached(tiers.bands, measure(tiers, window))
        if at_start < level and at_end <= level:
            below += 1
            if below > tiers.grace_periods:
                level, below = (max(at_start, level - tiers.step) if tiers.step else at_start), 0
        else:
            level, below = _promoted(tiers, level, max(at_start, at_end)), 0
        bucket = buckets.get(name) or Bucket()
        found[name, ""] = level
        level = _through_days(tiers, name, bucket, window, min(before, level), level, found)
        if tiers.promote == "next_period":
            at_end = reached(tiers.bands, measure(tiers, [*window, bucket]))
    return found


def _promoted(tiers: Tiers, level: int, reached_band: int) -> int:
    return max(level, min(reached_band, level + tiers.step) if tiers.step else reached_band)


def _through_days(
    tiers: Tiers,
    name: str,
    bucket: Bucket,
    window: list[Bucket],
    lowest: int,
    level: int,
    found: dict[tuple[str, str], int],
) -> int:
    """Day by day: what was reached by the end of a day counts from the next on, if promotions may.

    Steps are counted from `lowest`: a promotion on the first day is one of the period.
    """
    so_far = Bucket()
    for day in sorted(bucket.days):
        found[name, day] = level
        if tiers.promote == "next_day":
            clients = _with_lots(so_far.clients, bucket.day_clients.get(day) or {})
            so_far = Bucket(sums=_sum(so_far.sums, bucket.days[day]), clients=clients)
            band = reached(tiers.bands, measure(tiers, [*window, so_far]))
            level = max(level, _promoted(tiers, lowest, band))
    return level


def _with_lots(known: Mapping[str, Sums], lots: Mapping[str, Decimal]) -> dict[str, Sums]:
    nothing = Sums()
    added = {client: Sums(lots=known.get(client, nothing).lots + more) for client, more in lots.items()}
    return {**known, **added}


def _sum(one: Sums, other: Sums) -> Sums:
    return Sums(
        amounts=_added(one.amounts, other.amounts),
        lots=one.lots + other.lots,
        notional=one.notional + other.notional,
        count=one.count + other.count,
    )


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
    settling: Settling, component: RevenueShare, plan: PlanDefined, terms: Terms
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


def _net(buckets: Mapping[str, Bucket]) -> dict[str, Due | None]:
    carried = ZERO
    found: dict[str, Due | None] = {}
    for name in sorted(buckets):
        result = buckets[name].sums.at(0)
        balance = carried + result
        found[name] = Due(max(ZERO, balance), {"result": result, "carried": carried})
        carried = min(ZERO, balance)
    return found


# Conditions over many clients


def _gated(component: Cpl, bucket: Bucket) -> Due:
    sums = bucket.sums
    is_open = sums.count > 0 and sums.deposited >= component.min_ftd_rate * sums.count
    factors: Factors = {"registered": str(sums.count), "deposited": str(sums.deposited)}
    return Due(sums.at(0) if is_open else ZERO, factors)


def _cohort(
    component: CohortBonus, bucket: Bucket, source: str, currency: str, period: str, terms: Terms
) -> Due | None:
    reaching = sum(1 for sums in bucket.clients.values() if sums.lots >= component.min_lots)
    amount = _converted(component.amount, source, currency, period, terms)
    factors: Factors = {"clients": str(reaching)}
    return None if amount is None else Due(amount * (reaching // component.clients), factors)


def _needs_days(component: Component) -> bool:
    if isinstance(component, DealComponent) and component.caps is not None:
        return True
    tiers = component.tiers if isinstance(component, DealComponent | Cpa) else None
    return tiers is not None and tiers.mode == "level"


def _needs_clients(component: Component) -> bool:
    if isinstance(component, CohortBonus):
        return True
    if isinstance(component, RevenueShare):
        return component.scope == "client" or component.quarantine_below is not None
    tiers = component.tiers if isinstance(component, DealComponent | Cpa) else None
    return tiers is not None and tiers.by == "active_clients"
