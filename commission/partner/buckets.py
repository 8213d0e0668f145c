"""What a period adds up for one plan and component, and what is left of the periods before."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import field
from msgspec.structs import replace

from commission.outputs import Tally
from commission.sums import NOTHING, Sums, total
from commission.terms.catalog import BEGINNING
from commission.terms.components import CohortBonus, Component, Cpa, DealComponent, RevenueShare
from commission.value import Value

ZERO = Decimal(0)

KEPT = timedelta(days=400)
"""A period that ended so long before the newest of its component began is folded, into a key of its own.

Longer than a year and more than twice a clawback window, so that few tallies come later.
"""


class VersionTotals(Value):
    """What counted in a period under one version of the plan, and stays with its bands and caps."""

    sums: Sums = NOTHING
    days: dict[str, Sums] = field(default_factory=dict)
    """`day|week` → sums."""


class PeriodTotals(Value):
    """One period of a component: its sums, by day and client where something asks for them."""

    starts_at: datetime = BEGINNING
    """Left out where it is stored by itself, under the name of its period."""
    versions: dict[int, VersionTotals] = field(default_factory=dict)
    clients: dict[str, Sums] = field(default_factory=dict)
    day_clients: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    """`day|week` → client → lots, for a level by active clients."""
    posted: Decimal = ZERO
    """True-ups posted so far."""
    times: int = 0
    waits: int = 0
    """The number of the tally that waits for a rate, if one does, to have the period settled again."""

    @property
    def sums(self) -> Sums:
        """Under all versions together: what tiers measure."""
        if len(self.versions) == 1:
            (only,) = self.versions.values()
            return only.sums
        return total(one.sums for one in self.versions.values())

    @property
    def days(self) -> Mapping[str, Sums]:
        """The same, day by day."""
        if len(self.versions) == 1:
            (only,) = self.versions.values()
            return only.days
        days: dict[str, Sums] = {}
        for one in self.versions.values():
            for day, sums in one.days.items():
                days[day] = days.get(day, NOTHING) + sums
        return days

    @property
    def version(self) -> int:
        """The newest that counted."""
        return max(self.versions, default=0)

    def of(self, versions: Collection[int]) -> "PeriodTotals":
        """Only what counted under some versions."""
        return replace(self, versions={n: one for n, one in self.versions.items() if n in versions})


class LevelState(Value):
    """The level at the beginning of a period, and what decides about the next."""

    level: int = 0
    below: int = 0
    """Periods below the level so far, forgiven."""
    at_end: int = 0
    """The band reached at the end of the last period."""
    version: int = 0
    """The plan's, which a period without a tally goes by."""


class Opening(Value):
    """What the folded periods leave to those after them: all of it follows from their totals."""

    until: datetime
    """The periods that began before are folded."""
    carried: dict[str, Decimal] = field(default_factory=dict)
    """Losses of results: by client, or "" for the IB as a whole."""
    apart: tuple[str, ...] = ()
    """Clients whose losses are kept apart."""
    net: Decimal = ZERO
    """Below 0: what more was paid out than in, of net deposits."""
    levels: dict[str, LevelState] = field(default_factory=dict)
    """By kind of component."""
    recent: dict[str, PeriodTotals] = field(default_factory=dict)
    """The last folded periods, as far as a level looks back."""
    reach: int = 0
    """How many periods that is."""


class ComponentPeriods(Value):
    """One IB's component: its buckets by period, the earliest first."""

    currency: str
    buckets: dict[str, PeriodTotals] = field(default_factory=dict)
    opening: Opening | None = None

    def of(self, versions: Collection[int]) -> "ComponentPeriods":
        """Only what counted under some versions."""
        opening = self.opening
        if opening is not None:
            opening = replace(opening, recent=_of(opening.recent, versions))
        return replace(self, buckets=_of(self.buckets, versions), opening=opening)


def _of(buckets: Mapping[str, PeriodTotals], versions: Collection[int]) -> dict[str, PeriodTotals]:
    kept = {n: b for n, b in buckets.items() if any(v in versions for v in b.versions)}
    return {name: bucket.of(versions) for name, bucket in kept.items()}


def with_tally(
    settling: ComponentPeriods, component: Component, period: str, starts_at: datetime, day: str, tally: Tally
) -> ComponentPeriods:
    """Add a tally to the bucket of its period."""
    bucket = settling.buckets.get(period) or PeriodTotals(starts_at=starts_at)
    own = bucket.versions.get(tally.plan_version) or VersionTotals()
    sums, clients, day_clients = tally.sums, bucket.clients, bucket.day_clients
    days = own.days
    if _needs_days(component):
        days = {**days, day: days.get(day, NOTHING) + sums}
    if _needs_clients(component):
        clients = {**clients, tally.client_id: clients.get(tally.client_id, NOTHING) + sums}
    if days is not own.days and clients is not bucket.clients:
        of_day = day_clients.get(day) or {}
        lots = of_day.get(tally.client_id, ZERO) + tally.lots
        day_clients = {**day_clients, day: {**of_day, tally.client_id: lots}}
    own = VersionTotals(sums=own.sums + sums, days=days)
    versions = {**bucket.versions, tally.plan_version: own}
    bucket = replace(bucket, versions=versions, clients=clients, day_clients=day_clients)
    buckets = {**settling.buckets, period: bucket}
    if period not in settling.buckets:
        buckets = dict(sorted(buckets.items(), key=lambda pair: pair[1].starts_at))
    return replace(settling, currency=tally.currency, buckets=buckets)


def _needs_days(component: Component) -> bool:
    if isinstance(component, DealComponent) and component.caps is not None:
        return True
    tiers = component.tiers if isinstance(component, DealComponent | Cpa) else None
    if tiers is None or tiers.mode == "slab":
        return False
    return tiers.mode == "level" or tiers.by != "active_clients"


def _needs_clients(component: Component) -> bool:
    if isinstance(component, CohortBonus):
        return True
    if isinstance(component, RevenueShare):
        return component.scope == "client" or component.quarantine_below is not None
    tiers = component.tiers if isinstance(component, DealComponent | Cpa) else None
    return tiers is not None and tiers.by == "active_clients"
