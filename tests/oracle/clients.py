"""Amounts for clients and deposits: CPA and its stages, CPL, shares of deposits."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction

from commission.events import (
    ChargebackReceived,
    ChargebackWon,
    ClientRegistered,
    DepositCleared,
    WithdrawalPaid,
)
from commission.terms.components import Cpa, CpaAmount, Cpl, DepositShare
from commission.terms.plans import PlanDefined
from commission.terms.rates import When
from tests.oracle.facts import Facts, Link, Waits, fraction, rounded, symbol_fits
from tests.oracle.measure import (
    Case,
    average_pips,
    case_of,
    country_fits,
    deal_fits,
    lots_in_plan,
    measured,
    slice_fits,
)
from tests.oracle.net_deposits import left_without_withdrawn, standing
from tests.oracle.shares import Earned, excess_at

AS_OF_REGISTRATION = True
"""Whose client it is for CPA and CPL, and by which plan: as of the registration, or of the qualification."""


def as_of(client: ClientRegistered, time: datetime) -> datetime:
    """When the upline of a CPA or CPL is looked up."""
    return client.occurred_at if AS_OF_REGISTRATION else time


ClientComponent = Cpa | Cpl | DepositShare
Loss = ChargebackReceived | WithdrawalPaid


def client_amounts(facts: Facts) -> list[Earned]:
    """Everything that is earned by clients and deposits, not by deals."""
    ways: tuple[tuple[type[ClientComponent], Callable[[Facts, ClientRegistered, str], list[Earned]]], ...]
    ways = ((Cpa, cpa), (Cpl, cpl), (DepositShare, deposit_shares))
    found: list[Earned] = []
    for client in facts.clients.values():
        for kind, way in ways:
            for name in names(facts, kind):
                with suppress(Waits):
                    found += way(facts, client, name)
    return found


def names(facts: Facts, kind: type[ClientComponent]) -> list[str]:
    """Every name a component of the kind has, in any plan."""
    return sorted({c.name for plan in facts.plans.values() for c in plan.components if isinstance(c, kind)})


def closings(facts: Facts, client: ClientRegistered) -> list[Case]:
    """The client's deals that closed something."""
    found = []
    for deal in facts.in_time:
        if deal.kind == "trade" and not deal.is_service and deal.volume_e8:
            try:
                case = case_of(facts, deal)
            except Waits:
                continue
            if case.client is client and any(piece.part == "out" for piece in case.slices):
                found.append(case)
    return found


def component_of(link: Link, kind: type[ClientComponent], name: str) -> ClientComponent | None:
    """The component of a kind and name in an IB's plan."""
    components = link.plan.components if link.plan else ()
    return next((c for c in components if isinstance(c, kind) and c.name == name), None)


def by_difference(
    facts: Facts, client: ClientRegistered, time: datetime, kind: str, owns: list[tuple[Link, Fraction]]
) -> list[Earned]:
    """Each IB's own amount; it keeps what exceeds the best one below it."""
    earned: list[Earned] = []
    for place, (link, own) in enumerate(owns):
        assert link.plan is not None
        earned.append(
            Earned(
                who=link.ib,
                kind=kind,
                currency=link.partner.currency,
                amount=excess_at(own, link, owns[:place], facts, time),
                client=client.client_id,
                time=time,
                clawback=link.plan.clawback,
                plan=link.plan,
                paid=not link.suspended and not link.is_client(client),
                from_deal=False,
            )
        )
    return earned


def own_amount(facts: Facts, link: Link, amount: Fraction, time: datetime) -> Fraction:
    """An amount in the plan's currency, as the IB gets it."""
    assert link.plan is not None
    factor = fraction(link.assignment.factor)
    return rounded(facts.convert(amount * factor, link.plan.currency, link.partner.currency, time))


def amount_of(amounts: Iterable[CpaAmount], client: ClientRegistered, deposited: Fraction) -> Fraction:
    """What names the client's country, else what names none; then the largest deposit asked for."""
    fitting = [a for a in for_country(amounts, client) if a.min_deposit <= deposited]
    chosen = max(fitting, key=lambda a: a.min_deposit, default=None)
    return fraction(chosen.amount) if chosen else Fraction(0)


def for_country(amounts: Iterable[CpaAmount], client: ClientRegistered) -> list[CpaAmount]:
    """A country with amounts of its own has no others."""
    listed = list(amounts)
    is_listed = client.country in {a.country for a in listed if a.country}
    return [a for a in listed if a.country == (client.country if is_listed else "")]


def ended_by_fraud(facts: Facts, client: ClientRegistered, time: datetime) -> bool:
    """Whether the client earns nothing any more."""
    return any(f.verdict == "fraud" and f.occurred_at <= time for f in facts.flags(client.client_id))


# CPA


def cpa(facts: Facts, client: ClientRegistered, name: str) -> list[Earned]:
    """Walk the client's facts in time: it qualifies, is clawed back, may qualify again."""
    cases = closings(facts, client)
    earned: list[Earned] = []
    qualified: tuple[Link, Cpa, datetime] | None = None
    clawed: datetime | None = None
    for time, event in instants(facts, client, cases):
        if qualified is not None:
            link, component, since = qualified
            is_loss = isinstance(event, ChargebackReceived) or (
                isinstance(event, WithdrawalPaid) and component.net_deposits
            )
            if is_loss and clawed_back(facts, client, link, component, since, event, cases):
                qualified, clawed, earned = None, time, []
            elif is_loss and counts(link, component, since, event):
                earned = cpa_amounts(facts, client, name, since, time)
            continue
        found = decider(facts, client, name, time)
        if found is None or (clawed is not None and not may_again(facts, client, found[1], clawed, time)):
            continue
        link, component = found
        assert link.plan is not None
        in_time = time <= deadline(client, component) and not ended_by_fraud(facts, client, time)
        if in_time and qualifies(facts, client, link, component, time, time, cases):
            qualified = (link, component, time)
            earned = cpa_amounts(facts, client, name, time, time)
    return earned


def instants(facts: Facts, client: ClientRegistered, cases: list[Case]) -> list[tuple[datetime, object]]:
    """Every fact of the client, by its time."""
    events = [
        e
        for e in facts.events
        if e.client_id == client.client_id and not isinstance(e, ChargebackReceived | ChargebackWon)
    ] + facts.chargebacks(client.client_id)
    found = [(client.occurred_at, client), *((e.occurred_at, e) for e in events)]
    found += [(case.deal.occurred_at, case) for case in cases]
    return sorted(found, key=lambda pair: pair[0])


def decider(facts: Facts, client: ClientRegistered, name: str, time: datetime) -> tuple[Link, Cpa] | None:
    """The lowest IB that has the component."""
    for link in facts.chain(client, as_of(client, time)):
        component = component_of(link, Cpa, name)
        if isinstance(component, Cpa):
            return link, component
    return None


def deadline(client: ClientRegistered, component: Cpa) -> datetime:
    """The end of the qualification window."""
    if not component.business_days:
        return client.occurred_at + timedelta(days=component.qualification_days)
    day, left = client.occurred_at, component.qualification_days
    while left:
        day += timedelta(days=1)
        left -= day.weekday() < 5
    return day


def ftd(
    facts: Facts,
    client: ClientRegistered,
    decider: tuple[Link, Cpa],
    currency: str,
    known: datetime,
    until: datetime | None = None,
) -> Fraction:
    """The first deposit that still stands, and those soon after it, in a currency."""
    plan, component = decider[0].plan, decider[1]
    assert plan is not None
    left = [(facts.left(d, known, plan.clawback), d) for d in facts.deposits(client.client_id)]
    if component.net_deposits:
        left = left_without_withdrawn(facts, client.client_id, left, known, plan.clawback)
    standing = [(rest, d) for rest, d in left if rest and (until is None or d.occurred_at <= until)]
    if not standing:
        return Fraction(0)
    end = standing[0][1].occurred_at + timedelta(hours=component.ftd_window_hours)
    return sum(
        (
            facts.convert(rest, d.currency, currency, d.occurred_at)
            for rest, d in standing
            if d.occurred_at <= end
        ),
        Fraction(0),
    )


def qualifies(
    facts: Facts,
    client: ClientRegistered,
    link: Link,
    component: Cpa,
    until: datetime,
    known: datetime,
    cases: list[Case],
) -> bool:
    """Whether the facts up to a time are enough, with what was taken back known later."""
    assert link.plan is not None
    asked = [amount.min_deposit for amount in for_country(component.amounts, client)]
    fits = country_fits(component.countries, component.countries_not, component.channels, client)
    if not asked or not fits or (until == known and not is_approved(facts, client, until)):
        return False
    deposited = ftd(facts, client, (link, component), link.plan.currency, known, until)
    if deposited < fraction(min(asked)):
        return False
    lots, spread, turnover, trades = Fraction(0), Fraction(0), Fraction(0), 0
    for case in cases:
        closed = held_lots(case, component.min_holding_s, (link.plan.when, component.when))
        if component.symbols and not any(symbol_fits(s, case.subject) for s in component.symbols):
            continue
        if case.deal.occurred_at > until or not closed:
            continue
        trades += 1
        lots += lots_in_plan(link.plan, case, closed)
        if component.min_spread:
            spread += spread_collected(case, closed, link.plan.currency)
        if component.min_turnover:
            turnover += case.notional(closed, link.plan.currency)
    return (
        trades >= component.min_trades
        and lots >= fraction(component.min_lots)
        and spread >= fraction(component.min_spread)
        and turnover >= fraction(component.min_turnover) * deposited
    )


def is_approved(facts: Facts, client: ClientRegistered, time: datetime) -> bool:
    """The client's KYC as of a time."""
    statuses = [change.status for change in facts.kyc(client.client_id) if change.occurred_at <= time]
    return statuses[-1:] == ["approved"]


def held_lots(case: Case, seconds: int, whens: tuple[When, ...]) -> Fraction:
    """Lots a deal closed that were held long enough and meet all conditions."""
    if not all(deal_fits(when, case) for when in whens):
        return Fraction(0)
    if seconds and any(piece.part == "out" and piece.opening is None for piece in case.slices):
        return Fraction(0)
    return sum(
        (
            piece.lots
            for piece in case.slices
            if piece.part == "out"
            and all(slice_fits(when, case, piece) for when in whens)
            and (not seconds or (piece.opening and held(case, piece.opening.occurred_at) >= seconds))
        ),
        Fraction(0),
    )


def held(case: Case, opened: datetime) -> float:
    """Seconds since the opening."""
    return (case.deal.occurred_at - opened).total_seconds()


def spread_collected(case: Case, lots: Fraction, currency: str) -> Fraction:
    """The spread of a closing deal, in a currency."""
    seen = measured(case.deal)
    seen = average_pips(None, case) if seen is None else seen
    worth = case.worth(seen or Fraction(0), lots)
    return case.facts.convert(worth, case.symbol.profit_currency, currency, case.deal.occurred_at)


def cpa_amounts(
    facts: Facts, client: ClientRegistered, name: str, time: datetime, known: datetime
) -> list[Earned]:
    """What each IB gets for the qualification; deposits later in the window of the first count too.

    By what is left of the deposits as of `known`, unless that were more than at the qualification: then
    another deposit has become the first.
    """
    owns: list[tuple[Link, Fraction]] = []
    lowest = decider(facts, client, name, time)
    assert lowest is not None
    assert lowest[0].plan is not None
    currency = lowest[0].plan.currency
    if ftd(facts, client, lowest, currency, known) >= ftd(facts, client, lowest, currency, time):
        known = time
    for link in facts.chain(client, as_of(client, time)):
        component = component_of(link, Cpa, name)
        if isinstance(component, Cpa) and link.plan is not None:
            deposited = ftd(facts, client, lowest, link.plan.currency, known)
            amount = amount_of(component.amounts, client, deposited)
            owns.append((link, own_amount(facts, link, amount, time)))
    return [replace(entry, cause=name) for entry in by_difference(facts, client, time, "cpa", owns)]


def once_for_a_person(facts: Facts, entries: list[Earned]) -> list[Earned]:
    """Of the CPAs of one name that an IB gets for clients of one identity, only the first that qualified.

    As far as they stand in the end, and are past their KYC gate; by the plan each is paid by.
    """
    groups: dict[tuple[str, str, str], list[Earned]] = {}
    for entry in entries:
        identity = facts.clients[entry.client].identity if entry.kind == "cpa" else ""
        asked = any(c.name == entry.cause and c.cpa_per == "identity" for c in cpas_of(entry.plan))
        is_free = facts.is_released(entry.plan, entry.client, entry.time)
        if identity and asked and is_free and entry.paid and entry.amount:
            groups.setdefault((entry.who, entry.cause, identity), []).append(entry)
    dropped: list[Earned] = []
    for claims in groups.values():
        first = claims[0]
        for claim in claims:
            if (claim.time, claim.client) < (first.time, first.client):
                first = claim
        dropped += [claim for claim in claims if claim is not first]
    return [entry for entry in entries if not any(entry is other for other in dropped)]


def cpas_of(plan: PlanDefined) -> list[Cpa]:
    """The CPAs of a plan."""
    return [component for component in plan.components if isinstance(component, Cpa)]


def scope_of(link: Link, event: Loss) -> str:
    """What the plan lets a loss take; a withdrawal takes the CPA that asks for net deposits, at most."""
    assert link.plan is not None
    return "cpa" if isinstance(event, WithdrawalPaid) else getattr(link.plan.clawback, event.reason)


def counts(link: Link, component: Cpa, since: datetime, event: Loss) -> bool:
    """Whether what an event took back is missing from the CPA of `since`: soon enough, in the scope."""
    assert link.plan is not None
    days = min(component.clawback_days, link.plan.clawback.window_days)
    return scope_of(link, event) != "none" and event.occurred_at - since <= timedelta(days=days)


def clawed_back(
    facts: Facts,
    client: ClientRegistered,
    link: Link,
    component: Cpa,
    since: datetime,
    event: Loss,
    cases: list[Case],
) -> bool:
    """Whether an event takes the CPA: soon enough, by the plan's scope, and nothing else carries it."""
    assert link.plan is not None
    scope = scope_of(link, event)
    age = event.occurred_at - since
    if scope == "none" or age > timedelta(days=link.plan.clawback.window_days):
        return False
    if scope == "all":
        return True
    if age > timedelta(days=component.clawback_days):
        return False
    until = min(event.occurred_at, deadline(client, component))
    return not qualifies(facts, client, link, component, until, event.occurred_at, cases)


def may_again(
    facts: Facts, client: ClientRegistered, component: Cpa, clawed: datetime, time: datetime
) -> bool:
    """Later deposits may earn it again."""
    return component.requalify and any(
        clawed < deposit.occurred_at <= time for deposit in facts.deposits(client.client_id)
    )


# CPL


def cpl(facts: Facts, client: ClientRegistered, name: str) -> list[Earned]:
    """One amount per registered client, once its KYC is approved if asked for."""
    approvals = [c.occurred_at for c in facts.kyc(client.client_id) if c.status == "approved"]
    for kyc, time in ((False, client.occurred_at), *((True, approval) for approval in approvals[:1])):
        owns: list[tuple[Link, Fraction]] = []
        for link in facts.chain(client, as_of(client, time)):
            component = component_of(link, Cpl, name)
            if not isinstance(component, Cpl) or component.kyc != kyc:
                continue
            if not country_fits(component.countries, component.countries_not, component.channels, client):
                continue
            owns.append(
                (link, own_amount(facts, link, amount_of(component.amounts, client, Fraction(0)), time))
            )
        if owns and not ended_by_fraud(facts, client, time):
            entries = by_difference(facts, client, time, "cpl", owns)
            return [entry for entry in entries if enough_deposited(facts, client, entry, name)]
    return []


def enough_deposited(facts: Facts, client: ClientRegistered, entry: Earned, name: str) -> bool:
    """Whether enough of the clients below the IB registered in the same period have deposited.

    What that decides is a period's result, and waits for KYC behind a gate.
    """
    component = next(c for c in entry.plan.components if isinstance(c, Cpl) and c.name == name)
    if not component.min_ftd_rate:
        return True
    if not facts.is_released(entry.plan, client.client_id, entry.time):
        return False
    period = facts.period(client.occurred_at)
    end = max((e.occurred_at for e in facts.events), default=client.occurred_at)
    same = [
        other
        for other in facts.clients.values()
        if period.starts_at <= other.occurred_at < period.ends_at
        and any(
            above.ib == entry.who and not above.suspended and not above.is_client(other)
            for above in facts.chain(other, other.occurred_at)
        )
    ]
    clawback = entry.plan.clawback
    paid = [c for c in same if any(facts.left(d, end, clawback) for d in facts.deposits(c.client_id))]
    return len(paid) >= fraction(component.min_ftd_rate) * len(same)


# Deposits


def deposit_shares(facts: Facts, client: ClientRegistered, name: str) -> list[Earned]:
    """A share of each deposit, or of the first; of what was not taken back in time."""
    found: list[Earned] = []
    for place, deposit in enumerate(facts.deposits(client.client_id)):
        with suppress(Waits):
            found += shares_of(facts, client, name, deposit, is_first=not place)
    return found


def shares_of(
    facts: Facts, client: ClientRegistered, name: str, deposit: DepositCleared, *, is_first: bool
) -> list[Earned]:
    """Of one deposit."""
    time, owns = deposit.occurred_at, list[tuple[Link, Fraction]]()
    for link in facts.chain(client, time):
        component = component_of(link, DepositShare, name)
        if not isinstance(component, DepositShare) or component.of == "net" or link.plan is None:
            continue
        if (component.of == "first" and not is_first) or ended_by_fraud(facts, client, time):
            continue
        amount = facts.convert(
            standing(facts, deposit, link.plan), deposit.currency, link.plan.currency, time
        )
        amount *= fraction(component.share)
        if component.max_amount is not None:
            amount = min(amount, fraction(component.max_amount))
        owns.append((link, own_amount(facts, link, amount, time)))
    entries = by_difference(facts, client, time, "deposit_share", owns)
    return [replace(entry, cause=deposit.deposit_id) for entry in entries]
