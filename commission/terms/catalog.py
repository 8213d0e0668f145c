"""The terms as one point of a log knows them, with the look-ups a fold needs."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Self, TypeVar

from commission.accounts import pending
from commission.links.records import LinkSaved, links_after
from commission.money import EXACT
from commission.terms.calendar import PeriodDefined, PeriodEnded, PeriodReopened
from commission.terms.components import Component
from commission.terms.conversion import Conversion, major_of
from commission.terms.events_wanted import wanted_after
from commission.terms.market import RatePublished, Rescale, SymbolDefined, rescales_between
from commission.terms.partner_changes import all_changed, as_changed, with_change
from commission.terms.partners import ParentLink, PartnerChanged, PartnerDefined, PlanAssignment, StatusChange
from commission.terms.period_ends import Ends
from commission.terms.plans import PlanDefined
from commission.terms.rate_matching import Trait, is_by_symbol, most_specific
from commission.terms.rates import Rate
from commission.terms.records import TermsRecord
from commission.terms.schedules import asked_of, breakpoints_of, newest_per_time
from commission.terms.upline import Asked, Link, Upline, is_own, upline_of, without_own

Dated = TypeVar("Dated", ParentLink, PlanAssignment, StatusChange, PlanDefined, SymbolDefined)

BEGINNING = datetime.min.replace(tzinfo=UTC)

MAX_UPLINE_DEPTH = 32
"""IBs above one client; a longer chain is a defect in the terms, found when they are published."""

RATE_MAX_AGE = timedelta(days=31)
"""An older rate is no rate: the deal waits until a newer one is published."""

PIVOTS = ("USD", "EUR")
"""Currencies through which two others are converted when no direct rate is known, in this order."""


@dataclass(frozen=True, slots=True)
class Terms:
    """All terms known so far. `learn` gives the terms after more records; nothing is edited."""

    partners: dict[str, PartnerDefined] = field(default_factory=dict)
    """As published, with what a CRM has changed since."""
    published: dict[str, PartnerDefined] = field(default_factory=dict)
    changes: dict[str, tuple[PartnerChanged, ...]] = field(default_factory=dict)
    """What a CRM told of IBs, also of those that are not known yet."""
    plans: dict[str, tuple[PlanDefined, ...]] = field(default_factory=dict)
    """Versions by plan id, in the order they take effect."""
    symbols: dict[tuple[str, str], tuple[SymbolDefined, ...]] = field(default_factory=dict)
    """Versions by server and name, in the order they take effect."""
    rescales: dict[tuple[str, str], tuple[Rescale, ...]] = field(default_factory=dict)
    """What versions of a symbol did to positions, oldest first; of the few symbols that had any."""
    rates: dict[tuple[str, str], tuple[RatePublished, ...]] = field(default_factory=dict)
    links: dict[str, LinkSaved] = field(default_factory=dict)
    """By code, without their landing pages."""
    periods: tuple[PeriodDefined, ...] = ()
    ended: Ends = field(default_factory=Ends)
    """Which periods have ended; where terms enter, not in the books."""
    breakpoints: tuple[datetime, ...] = ()
    """Every time at which some schedule or parent changes: between two, uplines stand still."""
    events: frozenset[str] = frozenset()  # on demand, those that somebody wants
    some: Asked = field(default_factory=Asked)
    """What some plan asks of deals."""
    memo: dict[tuple[object, ...], object] = field(default_factory=dict, compare=False, repr=False)
    """Answers already worked out; the same question has one answer while terms stand."""

    def learn(self, records: Iterable[TermsRecord]) -> Self:
        """The terms after `records`, in their order; a later record of an id replaces the earlier."""
        records = tuple(records)
        told = [record for record in records if isinstance(record, LinkSaved)]
        links = links_after(self.links, told) if told else self.links
        if len(told) == len(records) and not any(links[one.code].plans for one in told):
            return replace(self, links=links)  # what was worked out stands
        partners, plans, symbols = dict(self.partners), dict(self.plans), dict(self.symbols)
        published, changes = dict(self.published), dict(self.changes)
        rates = {pair: list(series) for pair, series in self.rates.items()}
        periods, ended = {one.period: one for one in self.periods}, self.ended
        for record in records:
            match record:
                case PartnerDefined():
                    published[record.ib_id] = record
                case PartnerChanged():
                    changes[record.ib_id] = with_change(changes.get(record.ib_id, ()), record)
                case PlanDefined():
                    plans[record.plan_id] = _with_version(plans.get(record.plan_id, ()), record)
                case SymbolDefined():
                    place = record.server, record.symbol
                    symbols[place] = _with_meaning(symbols.get(place, ()), record)
                case RatePublished():
                    rates.setdefault((record.base, record.quote), []).append(record)
                case PeriodDefined():
                    periods[record.period] = record
                case PeriodEnded() | PeriodReopened():
                    ended = ended.after(record, periods)
        touched = (r.ib_id for r in records if isinstance(r, PartnerDefined | PartnerChanged))
        changed = all_changed(touched, published, changes)
        is_more = (plans, links) == (self.plans, self.links) and changed.keys().isdisjoint(partners)
        partners |= changed
        news, times = (changed, self.breakpoints) if is_more else (partners, ())
        return type(self)(
            partners=partners,
            published=published,
            changes=changes,
            plans=plans,
            symbols=symbols,
            rescales={place: found for place, known in symbols.items() if (found := rescales_between(known))},
            rates={pair: newest_per_time(series) for pair, series in rates.items()},
            links=links,
            periods=tuple(sorted(periods.values(), key=lambda period: period.starts_at)),
            ended=ended,
            breakpoints=breakpoints_of(news, plans, links, times),
            events=wanted_after(self.events, records),
            some=asked_of(plans, partners, links, partners if self.some.is_partial else changed),
        )

    def symbol(self, server: str, symbol: str, at: datetime) -> SymbolDefined | None:
        """What `symbol` meant on `server` at `at`; exports that lost the case find it if only one fits."""
        versions = self._versions(server, symbol)
        if len(versions) == 1 and versions[0].since is None:
            return versions[0]
        return _as_of(versions, at)

    def rescales_of(self, server: str, symbol: str) -> tuple[Rescale, ...]:
        """How the symbol's positions were rescaled, oldest first."""
        if not self.rescales:
            return ()
        versions = self._versions(server, symbol)
        return self.rescales.get((server, versions[0].symbol), ()) if versions else ()

    def _versions(self, server: str, symbol: str) -> tuple[SymbolDefined, ...]:
        versions = self.symbols.get((server, symbol))
        if versions is not None:
            return versions
        question = ("symbol", server, symbol)
        if question not in self.memo:
            folded = symbol.casefold()
            fits = [
                found
                for (srv, name), found in self.symbols.items()
                if srv == server and name.casefold() == folded
            ]
            self.memo[question] = fits[0] if len(fits) == 1 else ()
        return self.memo[question]  # type: ignore[return-value] # the memo holds what was put above

    def upline(self, ib_id: str, at: datetime, link: str = "") -> Upline | None:
        """The IBs above a client of `ib_id` at `at`, the direct one first, without terminated ones.

        By a tracking link of the IB that has a plan of its own, that plan counts instead of the IB's.
        None while one of the IBs, or the plan of one, is unknown: an upline is paid whole or not yet.
        """
        plan_id = self._plan_by(link, at) if link else None
        question = ("upline", ib_id, bisect_right(self.breakpoints, at), plan_id)
        found = self.memo.get(question, self)
        if found is self:
            links = self._walk_up(ib_id, at, plan_id)
            found = self.memo[question] = None if links is None else upline_of(links)
        return found  # type: ignore[return-value] # the memo holds what was put above

    def _plan_by(self, link: str, at: datetime) -> str | None:
        known = self.links.get(link)
        return known.plan_at(at) if known is not None and known.plans else None

    def upline_for(self, ib_id: str, at: datetime, client_id: str, identity: str, link: str) -> Upline | None:
        """The same for one client: an IB that is the client itself is not paid for its own trades."""
        found = self.upline(ib_id, at, link)
        if found is None or not found.identities or not is_own(found, client_id, identity):
            return found
        question = ("own", id(found), client_id, identity)
        if question not in self.memo:
            self.memo[question] = without_own(found, client_id, identity)
        return self.memo[question]  # type: ignore[return-value] # the memo holds what was put above

    def gates_of(self, ib_id: str, at: datetime) -> tuple[bool, bool]:
        """Whether the IB's KYC was approved at `at`, and its agreement accepted, by what is known now."""
        begun = (change for change in self.changes.get(ib_id, ()) if change.occurred_at <= at)
        partner = as_changed(self.published.get(ib_id), begun)
        return (False, False) if partner is None else (partner.kyc_approved, partner.agreement_accepted)

    def plan_of(self, partner: PartnerDefined, at: datetime) -> PlanDefined | None:
        """The plan version an IB earns by at `at`, if any."""
        held = _as_of(partner.schedule, at)
        return _as_of(self.plans.get(held.plan_id, ()), at) if held and held.plan_id else None

    def plan_version(self, plan_id: str, version: int) -> PlanDefined | None:
        """A version of a plan by its number."""
        return next((plan for plan in self.plans.get(plan_id, ()) if plan.version == version), None)

    def _walk_up(self, ib_id: str, at: datetime, plan_id: str | None) -> tuple[Link, ...] | None:
        chain: list[Link] = []
        seen: set[str] = set()
        current: str | None = ib_id
        while current is not None:
            if current in seen or len(seen) >= MAX_UPLINE_DEPTH:
                raise ValueError(
                    f"the upline of {ib_id} at {at} is a cycle or deeper than {MAX_UPLINE_DEPTH}"
                )
            seen.add(current)
            partner = self.partners.get(current)
            by_link = plan_id if current == ib_id else None
            link = self._link(partner, at, by_link) if partner is not None else None
            if partner is None or link is None:
                return None
            if link.why_unpaid != "terminated":
                chain.append(link)
            parent = _as_of(partner.parents, at)
            current = parent.ib_id if parent else None
        return tuple(chain)

    def _link(self, partner: PartnerDefined, at: datetime, by_link: str | None) -> Link | None:
        held = _as_of(partner.schedule, at) or PlanAssignment()
        if by_link is not None:  # it pays as it is written: the IB's factor is for its own plan
            held = PlanAssignment(since=held.since, plan_id=by_link, rank=held.rank)
        if held.plan_id is not None and held.plan_id not in self.plans:
            return None
        plan = _as_of(self.plans[held.plan_id], at) if held.plan_id is not None else None
        status = _as_of(partner.statuses, at)
        why_unpaid = "" if status is None or status.status == "active" else status.status
        account = pending(partner.ib_id)
        return Link(partner, plan, held, not why_unpaid, why_unpaid, _by_kind(plan), account)

    def rate_for(
        self, rates: tuple[Rate, ...], symbol: SymbolDefined, trait: Trait, at: datetime
    ) -> Rate | None:
        """The most specific of `rates` that matches the deal's symbol, client, account and time."""
        question = ("rate", id(rates), symbol.canonical, symbol.asset_class)
        known = self.memo.get(question)
        if known is None:
            by_symbol = is_by_symbol(rates)
            found = most_specific(rates, symbol, trait, at) if by_symbol else None
            # With the rates themselves in the answer, no other rates can come to have their id.
            known = self.memo[question] = (rates, by_symbol, found)
        _, by_symbol, found = known  # type: ignore[misc] # the memo holds what was put above
        return found if by_symbol else most_specific(rates, symbol, trait, at)

    def convert(self, source: str, target: str, at: datetime) -> Conversion | None:
        """The newest rate at or before `at`, direct, inverted or through a pivot; None if too old."""
        factor, source_major = major_of(source)
        divisor, target_major = major_of(target)
        if source_major == target_major:
            return Conversion(factor, divisor, "")
        for pivot in (None, *PIVOTS):
            legs = (
                [(source_major, target_major)]
                if pivot is None
                else [(source_major, pivot), (pivot, target_major)]
            )
            found = [self._leg(base, quote, at) for base, quote in legs]
            if all(found):
                times, over = factor, divisor
                for leg in found:
                    assert leg is not None, "all are found"
                    times, over = EXACT.multiply(times, leg.times), EXACT.multiply(over, leg.over)
                return Conversion(times, over, " x ".join(leg.path for leg in found if leg))
        return None

    def convert_in(
        self, source: str, target: str, starts_at: datetime, ends_at: datetime
    ) -> Conversion | None:
        """The rate as of `starts_at`, else of the first moment before `ends_at` that has one."""
        times = sorted(
            rate.as_of
            for series in self.rates.values()
            for rate in series
            if starts_at < rate.as_of < ends_at
        )
        found = (self.convert(source, target, at) for at in (starts_at, *times))
        return next((conversion for conversion in found if conversion is not None), None)

    def _leg(self, base: str, quote: str, at: datetime) -> Conversion | None:
        if base == quote:
            return Conversion(Decimal(1), Decimal(1), "1")
        if (direct := self._newest(base, quote, at)) is not None:
            return Conversion(direct.rate, Decimal(1), _cite(direct))
        if (inverse := self._newest(quote, base, at)) is not None:
            return Conversion(Decimal(1), inverse.rate, f"1 / {_cite(inverse)}")
        return None

    def _newest(self, base: str, quote: str, at: datetime) -> RatePublished | None:
        series = self.rates.get((base, quote), ())
        index = bisect_right(series, at, key=lambda rate: rate.as_of)
        if index == 0 or at - series[index - 1].as_of > RATE_MAX_AGE:
            return None
        return series[index - 1]

    def period_at(self, at: datetime) -> PeriodDefined | None:
        """The period `at` falls into, if one is defined for it."""
        index = bisect_right(self.periods, at, key=lambda period: period.starts_at)
        return self.periods[index - 1] if index and at < self.periods[index - 1].ends_at else None

    def period_of(self, at: datetime) -> str:
        """Its name, or ""."""
        found = self.period_at(at)
        return "" if found is None else found.period

    def day_of(self, at: datetime) -> tuple[str, str]:
        """The day and the week `at` falls into, by the broker's calendar, both named by their period.

        Where the period tells no days they are those of UTC; weeks begin on Mondays.
        """
        period = self.period_at(at)
        if period is None or not period.days:
            year, week, _ = at.isocalendar()
            return f"{at:%Y-%m-%d}", f"{year:04}-W{week:02}"
        number = bisect_right(period.days, at) - 1
        name, week = period.period, (number + period.first_weekday) // 7
        return f"{name}/{number + 1:03}", f"{name}/w{week}"

    def period(self, name: str) -> PeriodDefined | None:
        """The period called `name`."""
        if (known := self.memo.get(("periods",))) is None:
            known = self.memo["periods",] = {period.period: period for period in self.periods}
        return known.get(name)  # type: ignore[attr-defined, no-any-return] # the memo holds what was put above


def _by_kind(plan: PlanDefined | None) -> dict[str, tuple[Component, ...]]:
    kinds: dict[str, tuple[Component, ...]] = {}
    for component in plan.components if plan is not None else ():
        kinds[component.kind] = (*kinds.get(component.kind, ()), component)
    return kinds


def _as_of(entries: Iterable[Dated], at: datetime) -> Dated | None:
    """The last entry that has begun by `at`."""
    current: Dated | None = None
    for entry in entries:
        if entry.since is None or entry.since <= at:
            current = entry
    return current


def _with_version(versions: tuple[PlanDefined, ...], plan: PlanDefined) -> tuple[PlanDefined, ...]:
    """Versions in the order they take effect; the same version again replaces itself."""
    others = [known for known in versions if known.version != plan.version]
    return tuple(sorted([*others, plan], key=lambda v: (v.since or BEGINNING, v.version)))


def _with_meaning(versions: tuple[SymbolDefined, ...], symbol: SymbolDefined) -> tuple[SymbolDefined, ...]:
    """Versions in the order they take effect; another one from the same time on takes its place."""
    others = [known for known in versions if known.since != symbol.since]
    return tuple(sorted([*others, symbol], key=lambda version: version.since or BEGINNING))


def _cite(rate: RatePublished) -> str:
    source = f", {rate.source}" if rate.source else ""
    since = f"{rate.as_of:%Y-%m-%d %H:%M} UTC".removesuffix(" 00:00 UTC")  # a broker's day begins elsewhere
    return f"{rate.base}/{rate.quote} {rate.rate} ({since}{source})"
