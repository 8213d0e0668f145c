"""What a period adds up for one plan, kept small."""

from collections.abc import Iterable
from dataclasses import field, replace
from decimal import Decimal

from commission.outputs import Tally
from commission.rating.values import ZERO
from commission.terms.components import CohortBonus, Component, Cpa, DealComponent, RevenueShare
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
            amounts=with_added(self.amounts, tally.amounts),
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
                amounts=with_added(left.amounts, tuple(-amount for amount in other.amounts)),
                lots=left.lots - other.lots,
                notional=left.notional - other.notional,
                count=left.count - other.count,
                deposited=left.deposited - other.deposited,
            )
        return left

    def at(self, band: int) -> Decimal:
        """The amount at a band; a component that has fewer amounts counts its last for higher bands."""
        return self.amounts[min(band, len(self.amounts) - 1)] if self.amounts else ZERO


def with_added(one: tuple[Decimal, ...], other: tuple[Decimal, ...]) -> tuple[Decimal, ...]:
    """Band by band; where one has fewer bands, its last amount counts for the higher ones."""
    size = max(len(one), len(other))
    return tuple(a + b for a, b in zip(_padded(one, size), _padded(other, size), strict=True))


def _padded(amounts: tuple[Decimal, ...], size: int) -> tuple[Decimal, ...]:
    last = amounts[-1] if amounts else ZERO
    return (*amounts, *(last for _ in range(size - len(amounts))))


@value
class PeriodTotals:
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
class ComponentPeriods:
    """One IB's component: its buckets by period."""

    currency: str
    buckets: dict[str, PeriodTotals] = field(default_factory=dict)


def with_tally(
    settling: ComponentPeriods, component: Component, period: str, day: str, tally: Tally
) -> ComponentPeriods:
    """Add a tally to the bucket of its period."""
    bucket = settling.buckets.get(period) or PeriodTotals()
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
    return ComponentPeriods(
        currency=tally.currency,
        buckets={name: buckets[name] for name in kept},
    )


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
