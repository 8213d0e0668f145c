"""The terms as one point of a log knows them, with the look-ups a fold needs."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Self

from commission.money import CENT_CURRENCIES, EXACT
from commission.terms import (
    Component,
    PartnerDefined,
    PeriodDefined,
    PeriodEnded,
    PlanDefined,
    Rate,
    RatePublished,
    SymbolDefined,
    TermsRecord,
)

MAX_UPLINE_DEPTH = 32
"""IBs above one client; a longer chain is a defect in the terms, found when they are published."""

RATE_MAX_AGE = timedelta(days=31)
"""An older rate is no rate: the deal is rejected until a newer one is published."""

PIVOTS = ("USD", "EUR")
"""Currencies through which two others are converted when no direct rate is known, in this order."""


@dataclass(frozen=True, slots=True)
class Link:
    """One IB of an upline as of some time, with the plan it earned by then."""

    partner: PartnerDefined
    plan: PlanDefined | None
    by_kind: dict[str, tuple[Component, ...]]
    """The plan's components by kind; empty without a plan."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """How many units of the target one unit of the source is worth, and from which rates."""

    rate: Decimal
    path: str


@dataclass(frozen=True, slots=True)
class Terms:
    """All terms known so far. `learn` gives the terms after more records; nothing is edited."""

    partners: dict[str, PartnerDefined] = field(default_factory=dict)
    plans: dict[str, PlanDefined] = field(default_factory=dict)
    symbols: dict[tuple[str, str], SymbolDefined] = field(default_factory=dict)
    rates: dict[tuple[str, str], tuple[RatePublished, ...]] = field(default_factory=dict)
    periods: tuple[PeriodDefined, ...] = ()
    breakpoints: tuple[datetime, ...] = ()
    """Every time at which some schedule or parent changes: between two, uplines stand still."""
    memo: dict[tuple[object, ...], object] = field(default_factory=dict, compare=False, repr=False)
    """Answers already worked out; the same question has one answer while terms stand."""

    def learn(self, records: Iterable[TermsRecord]) -> Self:
        """The terms after `records`, in their order; a later record of an id replaces the earlier."""
        partners, plans, symbols = dict(self.partners), dict(self.plans), dict(self.symbols)
        rates = {pair: list(series) for pair, series in self.rates.items()}
        periods = {period.period: period for period in self.periods}
        for record in records:
            match record:
                case PartnerDefined():
                    partners[record.ib_id] = record
                case PlanDefined():
                    plans[record.plan_id] = record
                case SymbolDefined():
                    symbols[record.server, record.symbol] = record
                case RatePublished():
                    rates.setdefault((record.base, record.quote), []).append(record)
                case PeriodDefined():
                    periods[record.period] = record
                case PeriodEnded():
                    pass
        return type(self)(
            partners=partners,
            plans=plans,
            symbols=symbols,
            rates={pair: _newest_per_time(series) for pair, series in rates.items()},
            periods=tuple(sorted(periods.values(), key=lambda period: period.starts_at)),
            breakpoints=_breakpoints(partners.values()),
        )

    def symbol(self, server: str, symbol: str) -> SymbolDefined | None:
        """What `symbol` means on `server`; exports that lost the case find it if only one fits."""
        known = self.symbols.get((server, symbol))
        if known is not None:
            return known
        question = ("symbol", server, symbol)
        if question not in self.memo:
            folded = symbol.casefold()
            fits = [
                s for (srv, name), s in self.symbols.items() if srv == server and name.casefold() == folded
            ]
            self.memo[question] = fits[0] if len(fits) == 1 else None
        return self.memo[question]  # type: ignore[return-value] # the memo holds what was put above

    def upline(self, ib_id: str, at: datetime) -> tuple[Link, ...]:
        """The IBs above a client of `ib_id` at `at`, the direct one first; () while one of them, or the
        plan of one, is unknown: an upline is paid whole or not yet."""
        question = ("upline", ib_id, bisect_right(self.breakpoints, at))
        if question not in self.memo:
            self.memo[question] = self._walk_up(ib_id, at)
        return self.memo[question]  # type: ignore[return-value] # the memo holds what was put above

    def _walk_up(self, ib_id: str, at: datetime) -> tuple[Link, ...]:
        chain: list[Link] = []
        seen: set[str] = set()
        current: str | None = ib_id
        while current is not None:
            if current in seen or len(chain) >= MAX_UPLINE_DEPTH:
                raise ValueError(
                    f"the upline of {ib_id} at {at} is a cycle or deeper than {MAX_UPLINE_DEPTH}"
                )
            seen.add(current)
            partner = self.partners.get(current)
            if partner is None:
                return ()
            plan_id = _as_of([(a.since, a.plan_id) for a in partner.schedule], at)
            if plan_id is not None and plan_id not in self.plans:
                return ()
            plan = self.plans[plan_id] if plan_id is not None else None
            chain.append(Link(partner, plan, _by_kind(plan)))
            current = _as_of([(p.since, p.ib_id) for p in partner.parents], at)
        return tuple(chain)

    def rate_for(self, rates: tuple[Rate, ...], symbol: SymbolDefined) -> Rate | None:
        """The most specific of `rates` that matches: symbol, longest prefix, class, then `*`."""
        question = ("rate", id(rates), symbol.canonical, symbol.asset_class)  # plans outlive this memo
        if question not in self.memo:
            fits = [(s, r) for r in rates if (s := specificity(r.match, symbol)) is not None]
            self.memo[question] = max(fits, key=lambda fit: fit[0])[1] if fits else None
        return self.memo[question]  # type: ignore[return-value] # the memo holds what was put above

    def convert(self, source: str, target: str, at: datetime) -> Conversion | None:
        """The newest rate at or before `at`, direct, inverted or through a pivot; None if too old."""
        factor, source_major = _major(source)
        divisor, target_major = _major(target)
        if source_major == target_major:
            return Conversion(factor / divisor, "")
        for pivot in (None, *PIVOTS):
            legs = (
                [(source_major, target_major)]
                if pivot is None
                else [(source_major, pivot), (pivot, target_major)]
            )
            found = [self._leg(base, quote, at) for base, quote in legs]
            if all(found):
                rate = factor / divisor
                for leg in found:
                    rate = EXACT.multiply(rate, leg.rate)  # type: ignore[union-attr] # all are found
                return Conversion(rate, " x ".join(leg.path for leg in found if leg))
        return None

    def _leg(self, base: str, quote: str, at: datetime) -> Conversion | None:
        if base == quote:
            return Conversion(Decimal(1), "1")
        if (direct := self._newest(base, quote, at)) is not None:
            return Conversion(direct.rate, _cite(direct))
        if (inverse := self._newest(quote, base, at)) is not None:
            return Conversion(EXACT.divide(Decimal(1), inverse.rate), f"1 / {_cite(inverse)}")
        return None

    def _newest(self, base: str, quote: str, at: datetime) -> RatePublished | None:
        series = self.rates.get((base, quote), ())
        index = bisect_right(series, at, key=lambda rate: rate.as_of)
        if index == 0 or at - series[index - 1].as_of > RATE_MAX_AGE:
            return None
        return series[index - 1]

    def period_of(self, at: datetime) -> str:
        """The period `at` falls into, or "" if none is defined for it."""
        index = bisect_right(self.periods, at, key=lambda period: period.starts_at)
        if index and at < self.periods[index - 1].ends_at:
            return self.periods[index - 1].period
        return ""

    def period(self, name: str) -> PeriodDefined | None:
        """The period called `name`."""
        return next((period for period in self.periods if period.period == name), None)


def specificity(match: str, symbol: SymbolDefined) -> tuple[int, int] | None:
    """How closely `match` names `symbol`, comparable; None if it does not."""
    if match == symbol.canonical:
        return (3, 0)
    if match == "*":
        return (0, 0)
    if match.startswith("class:"):
        return (1, 0) if match[len("class:") :] == symbol.asset_class else None
    if match.endswith("*") and symbol.canonical.startswith(match[:-1]):
        return (2, len(match))
    return None


def _by_kind(plan: PlanDefined | None) -> dict[str, tuple[Component, ...]]:
    kinds: dict[str, tuple[Component, ...]] = {}
    for component in plan.components if plan is not None else ():
        kinds[component.kind] = (*kinds.get(component.kind, ()), component)
    return kinds


def _as_of(links: list[tuple[datetime | None, str | None]], at: datetime) -> str | None:
    current: str | None = None
    for since, value in links:
        if since is None or since <= at:
            current = value
    return current


def _breakpoints(partners: Iterable[PartnerDefined]) -> tuple[datetime, ...]:
    times: set[datetime] = set()
    for partner in partners:
        times.update(link.since for link in partner.parents if link.since)
        times.update(assignment.since for assignment in partner.schedule if assignment.since)
    return tuple(sorted(times))


def _newest_per_time(series: Iterable[RatePublished]) -> tuple[RatePublished, ...]:
    """Sorted by time; of two rates for one time the later published stands."""
    by_time = {rate.as_of: rate for rate in series}
    return tuple(by_time[at] for at in sorted(by_time))


def _major(currency: str) -> tuple[Decimal, str]:
    major = CENT_CURRENCIES.get(currency)
    return (Decimal("0.01"), major) if major else (Decimal(1), currency)


def _cite(rate: RatePublished) -> str:
    source = f", {rate.source}" if rate.source else ""
    return f"{rate.base}/{rate.quote} {rate.rate} ({rate.as_of:%Y-%m-%d}{source})"
