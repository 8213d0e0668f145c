"""What only a whole period tells: tiers, caps by day, week and period, revenue shares, cohorts."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from commission.terms.calendar import PeriodDefined
from commission.terms.components import AnyDealComponent, CohortBonus, RevenueShare
from commission.terms.rates import Band, Tiers
from tests.oracle.clients import closings
from tests.oracle.facts import Facts, Link, Waits, best, fraction, rounded
from tests.oracle.measure import Case, case_of, counted, lots_in_plan, revenue_of
from tests.oracle.negative import left_after
from tests.oracle.shares import Earned, shared

Group = list[Earned]


def period_amounts(facts: Facts, entries: list[Earned]) -> list[Earned]:
    """What periods' results add to the entries, or take from them."""
    groups: defaultdict[tuple[str, str, str], Group] = defaultdict(list)
    for entry in entries:
        if (
            entry.component is not None
            and entry.paid
            and facts.is_released(entry.plan, entry.client, entry.time)
        ):
            groups[entry.who, entry.plan.plan_id, entry.component.name].append(entry)
    found = []
    for group in groups.values():
        component = group[-1].component
        assert component is not None
        tiered = [entry for entry in group if tiers_of(entry) is not None]
        if tiered:
            found.append(by_tiers(facts, tiered))
        if component.caps is not None:
            found.append(over_caps(facts, component, group))
    return [*found, *revenue_shares(facts), *cohorts(facts)]


def like(entry: Earned, amount: Fraction) -> Earned:
    """A true-up beside an entry."""
    return Earned(
        entry.who, entry.kind, entry.currency, amount, entry.client, entry.time, entry.clawback, entry.plan
    )


def total(amounts: Iterable[Fraction]) -> Fraction:
    """Their sum."""
    return sum(amounts, Fraction(0))


def in_order(facts: Facts) -> list[PeriodDefined]:
    """All periods, by their time."""
    return sorted(facts.periods.values(), key=lambda period: period.starts_at)


def inside(period: PeriodDefined, group: Group) -> Group:
    """The entries of a period."""
    return [entry for entry in group if period.starts_at <= entry.time < period.ends_at]


# Caps


def over_caps(facts: Facts, component: AnyDealComponent, group: Group) -> Earned:
    """What exceeds the caps, days first, then weeks, then periods; the plan's currency is the IB's."""
    caps, excess_sum = component.caps, Fraction(0)
    assert caps is not None
    for period in facts.periods.values():
        days: defaultdict[int, Fraction] = defaultdict(Fraction)
        for entry in inside(period, group):
            days[(entry.time - period.starts_at).days] += entry.amount
        capped = {day: least(amount, caps.per_day) for day, amount in days.items()}
        weeks: defaultdict[int, Fraction] = defaultdict(Fraction)
        for day, amount in capped.items():
            weeks[(day + period.first_weekday) // 7] += amount
        paid = least(total(least(amount, caps.per_week) for amount in weeks.values()), caps.per_period)
        excess_sum += total(days.values()) - paid
    return like(group[-1], -excess_sum)


def least(amount: Fraction, cap: Decimal | None) -> Fraction:
    """At most the cap, if there is one."""
    return amount if cap is None else min(amount, Fraction(cap))


# Tiers


def measured_by(tiers: Tiers, group: Group) -> Fraction:
    """The tier's measure of some entries."""
    match tiers.by:
        case "count":
            return Fraction(len([entry for entry in group if entry.lots]))
        case "amount":
            return total(entry.amount for entry in group)
        case "lots":
            return total(standard(entry) for entry in group)
        case "notional":
            return total(
                entry.case.notional(entry.lots, entry.plan.currency) for entry in group if entry.case
            )
    clients: defaultdict[str, Fraction] = defaultdict(Fraction)
    for entry in group:
        clients[entry.client] += standard(entry)
    return Fraction(sum(lots >= fraction(tiers.active_min_lots) for lots in clients.values()))


def standard(entry: Earned) -> Fraction:
    """Lots as the plan counts them."""
    return lots_in_plan(entry.plan, entry.case, entry.lots) if entry.case else Fraction(0)


def reached(bands: tuple[Band, ...], measure: Fraction) -> int:
    """How many bands above the component's own rates a measure reaches."""
    return sum(fraction(band.start) <= measure for band in bands)


def at_band(entry: Earned, band: int) -> Fraction:
    """What an entry is worth at the rates of a band; 0 are the component's own."""
    return entry.bands[band - 1] if band and entry.bands else entry.amount


def tiers_of(entry: Earned) -> Tiers | None:
    """Those of the version of the plan that it was earned under."""
    return entry.component.tiers if entry.component is not None else None


def asks_for_clients(entry: Earned) -> bool:
    """Whether it was earned under a version that counts active clients."""
    tiers = tiers_of(entry)
    return tiers is not None and tiers.by == "active_clients"


def by_tiers(facts: Facts, group: Group) -> Earned:
    """What the bands add, over all periods: a period is measured as one, each entry paid by its version."""
    newest = tiers_of(group[-1])
    assert newest is not None, "only tiered entries are asked about"
    if newest.mode == "level":
        return like(group[-1], by_level(facts, newest, group))
    added = Fraction(0)
    for period in facts.periods.values():
        entries = inside(period, group)
        due = total(slab_or_graduated(entry, entries, period) for entry in entries)
        added += rounded(due) - total(entry.amount for entry in entries)
    return like(group[-1], added)


def slab_or_graduated(entry: Earned, entries: Group, period: PeriodDefined) -> Fraction:
    """An entry at the band that all entries reach, or at each band for the share of its day inside it.

    Active clients belong to no day: each entry has the share that the bands have of all of them.
    """
    tiers = tiers_of(entry)
    assert tiers is not None, "only tiered entries are asked about"
    if tiers.by == "active_clients":
        entries = [other for other in entries if asks_for_clients(other)]
    measure = measured_by(tiers, entries)
    if tiers.mode == "slab":
        return at_band(entry, reached(tiers.bands, measure))
    before = Fraction(0)
    if tiers.by != "active_clients":
        turn = turn_of(entry, period)
        before = measured_by(tiers, [other for other in entries if turn_of(other, period) < turn])
        measure = measured_by(tiers, [other for other in entries if turn_of(other, period) <= turn])
    if measure == before:
        return at_band(entry, reached(tiers.bands, before))
    due, size = Fraction(0), measure - before
    for band, start in enumerate([Fraction(0), *(fraction(band.start) for band in tiers.bands)]):
        above = [fraction(band.start) for band in tiers.bands[band:]]
        end = min([measure, *above])
        due += at_band(entry, band) * max(Fraction(0), end - max(start, before)) / size
    return due


def turn_of(entry: Earned, period: PeriodDefined) -> tuple[int, int]:
    """What an entry comes after and before in graduated bands: the version of its plan, then its day."""
    return entry.plan.version if entry.plan else 0, (entry.time - period.starts_at).days


def by_level(facts: Facts, tiers: Tiers, group: Group) -> Fraction:
    """Walk through the days with a level: up after a day or period, down at the first day of a period."""
    level, below, at_end, added = 0, 0, 0, Fraction(0)
    periods = in_order(facts)
    for place, period in enumerate(periods):
        begin = periods[max(0, place - tiers.lookback_periods)].starts_at
        seen = seen_until(tiers, group, begin, period.starts_at)
        if seen >= level or at_end > level:
            level, below = risen(tiers, level, max(seen, at_end)), 0
        else:
            below += 1
            if below > tiers.grace_periods:
                level = max(seen, level - tiers.step) if tiers.step else seen
                below = 0
        first, day = level, period.starts_at
        while day < period.ends_at:
            after = day + timedelta(days=1)
            added += total(at_band(e, level) - e.amount for e in group if day <= e.time < after)
            if tiers.promote == "next_day":
                level = max(level, risen(tiers, first, seen_until(tiers, group, begin, after)))
            day = after
        if tiers.promote == "next_period":
            at_end = seen_until(tiers, group, begin, period.ends_at)
    return added


def risen(tiers: Tiers, level: int, seen: int) -> int:
    """The level after a promotion, at most one step up."""
    return max(level, min(seen, level + tiers.step) if tiers.step else seen)


def seen_until(tiers: Tiers, group: Group, begin: datetime, end: datetime) -> int:
    """The band that the measure of a window reaches."""
    return reached(tiers.bands, measured_by(tiers, [e for e in group if begin <= e.time < end]))


# Revenue shares and cohorts


def revenue_shares(facts: Facts) -> list[Earned]:
    """Per IB, component and period: rate x revenue of its direct clients, netted and carried."""
    groups: defaultdict[tuple[str, str, str], list[tuple[Link, RevenueShare, Case, Fraction]]]
    groups = defaultdict(list)
    for deal in facts.in_time:
        try:
            case = case_of(facts, deal)
            shared(facts, case)  # a deal that waits for anything waits for this, too
            for link in facts.chain(case.client, deal.occurred_at)[:1]:
                for component in link.plan.components if link.plan else ():
                    if isinstance(component, RevenueShare) and link.plan is not None:
                        if not facts.is_released(link.plan, case.client.client_id, deal.occurred_at):
                            continue
                        worth = standing(facts, link, case, revenue_worth(link, component, case))
                        groups[link.ib, link.plan.plan_id, component.name].append(
                            (link, component, case, worth)
                        )
        except Waits:
            continue
    return [entry for rows in groups.values() for entry in settled(facts, rows)]


def standing(facts: Facts, link: Link, case: Case, amount: Fraction) -> Fraction:
    """What the client's negative events leave of an amount."""
    assert link.plan is not None
    client, time = case.client.client_id, case.deal.occurred_at
    entry = Earned(link.ib, "", "", amount, client, time, link.plan.clawback, link.plan)
    return left_after(facts, entry).amount


def revenue_worth(link: Link, component: RevenueShare, case: Case) -> Fraction:
    """The IB's share of one deal's revenue, which may be negative."""
    assert link.plan is not None
    deal, slices = case.deal, counted(component, link.plan, case)
    rate = best(component.rates, case.subject)
    if not slices or rate is None or not deal.volume_e8:
        return Fraction(0)
    into, factor = link.partner.currency, fraction(link.assignment.factor)
    return rounded(rate * factor * revenue_of(component, case, slices, into))


def settled(facts: Facts, rows: list[tuple[Link, RevenueShare, Case, Fraction]]) -> list[Earned]:
    """Each period's sum and what was carried into it, at least 0, by IB or by client."""
    link, component, last, _ = rows[-1]
    assert link.plan is not None
    by_client = component.scope == "client"
    carried: defaultdict[str, Fraction] = defaultdict(Fraction)
    paid = Fraction(0)
    for period in in_order(facts):
        sums: defaultdict[str, Fraction] = defaultdict(Fraction)
        for row_link, _, case, worth in rows:
            in_period = period.starts_at <= case.deal.occurred_at < period.ends_at
            if in_period and not row_link.suspended and not row_link.is_client(case.client):
                sums[case.client.client_id if by_client else ""] += worth
        for key in {*sums, *carried}:
            result = carried[key] + sums[key]
            paid += max(Fraction(0), result)
            carried[key] = min(Fraction(0), result) if component.carry_over else Fraction(0)
    time: datetime = last.deal.occurred_at
    return [
        Earned(
            link.ib,
            component.kind,
            link.partner.currency,
            paid,
            last.client.client_id,
            time,
            link.plan.clawback,
            link.plan,
        )
    ]


def known_chain(facts: Facts, case: Case) -> list[Link]:
    """The upline of a deal; nobody, while the deal waits for anything."""
    try:
        shared(facts, case)
        return facts.chain(case.client, case.deal.occurred_at)
    except Waits:
        return []


def cohorts(facts: Facts) -> list[Earned]:
    """An amount for every so many direct clients who each close enough lots in a period."""
    lots: defaultdict[tuple[str, ...], Fraction] = defaultdict(Fraction)
    found: dict[tuple[str, ...], tuple[Link, CohortBonus, datetime]] = {}
    for client in facts.clients.values():
        for case in closings(facts, client):
            time = case.deal.occurred_at
            for link in known_chain(facts, case)[:1]:
                for component in link.plan.components if link.plan else ():
                    fits = isinstance(component, CohortBonus) and (
                        not component.countries or client.country in component.countries
                    )
                    if not fits or link.suspended or link.is_client(client) or link.plan is None:
                        continue
                    assert isinstance(component, CohortBonus)
                    if not facts.is_released(link.plan, client.client_id, time):
                        continue
                    closed = total(piece.lots for piece in case.slices if piece.part == "out")
                    key = (link.ib, link.plan.plan_id, component.name, facts.period(time).period)
                    counting = lots_in_plan(link.plan, case, closed)
                    wholly = not standing(facts, link, case, Fraction(1))
                    lots[(*key, client.client_id)] += 0 if wholly else counting
                    found[key] = (link, component, time)
    entries = []
    for place, (link, component, time) in found.items():
        assert link.plan is not None
        reaching = [k for k, sum_ in lots.items() if k[:-1] == place and sum_ >= fraction(component.min_lots)]
        amount = fraction(component.amount) * (len(reaching) // component.clients)
        amount = rounded(facts.convert(amount, link.plan.currency, link.partner.currency, time))
        entries.append(
            Earned(
                link.ib,
                component.kind,
                link.partner.currency,
                amount,
                "",
                time,
                link.plan.clawback,
                link.plan,
            )
        )
    return entries
