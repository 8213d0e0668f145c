"""CPA and CPL: one amount per client once it qualifies, by the facts' own times, not their arrival."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from commission.client.cpa_losses import before_the_first_loss, kept_of
from commission.client.state import ClientState, Deposit, Qualifying, Traded
from commission.rating.eligibility import is_in_market
from commission.rating.exchange import in_currency
from commission.rating.overrides import differences
from commission.rating.values import ZERO, Earned, Factors, Reason
from commission.terms.catalog import BEGINNING, Terms
from commission.terms.components import Cpa, CpaAmount, Cpl
from commission.terms.plans import Clawback, PlanDefined
from commission.terms.upline import Link, asks_for_trades

MAX_SPARE_TRADES = 64
"""Trades kept beyond what a CPA asks for: as many may be cancelled without losing count."""


class Conditions(NamedTuple):
    """The component whose conditions count, and its plan: those of the lowest IB with one of that name."""

    component: Cpa | Cpl
    plan: PlanDefined


class Qualification(NamedTuple):
    """Whether a client's CPA is due, since when it qualified, and on what FTD amount."""

    is_due: bool
    qualified_at: datetime | None = None
    ftd: Decimal = ZERO
    """In the currency of the conditions."""
    deposits: tuple[Deposit, ...] = ()
    """Those that make the FTD amount, as far as they were not taken back."""


NOT_DUE = Qualification(is_due=False)
NO_TRADE = Traded(BEGINNING, "", ZERO)
"""Nothing was traded yet."""
_NEVER = datetime.max.replace(tzinfo=UTC)


def conditions(links: Iterable[Link]) -> dict[str, Conditions]:
    """By component name, what the client has to reach."""
    found: dict[str, Conditions] = {}
    for link in links:
        for component in (*link.by_kind.get("cpa", ()), *link.by_kind.get("cpl", ())):
            assert isinstance(component, Cpa | Cpl), "components are listed by their kind"
            assert link.plan is not None, "who has a component has its plan"
            found.setdefault(component.name, Conditions(component, link.plan))
    return found


def deadline(client: ClientState, component: Cpa) -> datetime:
    """The end of the qualification window."""
    assert client.registered_at is not None, "only a registered client qualifies"
    if not component.business_days:
        return client.registered_at + timedelta(days=component.qualification_days)
    at, left = client.registered_at, component.qualification_days
    while left:
        at += timedelta(days=1)
        left -= at.weekday() < 5
    return at


def standing(
    client: ClientState,
    trades: Qualifying,
    component: Cpa | Cpl,
    currency: str,
    clawback: Clawback,
    terms: Terms,
) -> Qualification:
    """Weigh all facts known; what was taken back of deposits inside the clawback window does not count."""
    if not _is_wanted(client, component):
        return NOT_DUE
    if isinstance(component, Cpl):
        return _cpl_standing(client, component)
    granted = _first_qualified(client, trades, component, currency, clawback, terms)
    if granted.qualified_at is None:
        return NOT_DUE
    limit = granted.qualified_at + timedelta(days=min(component.clawback_days, clawback.window_days))
    kept = [kept_of(deposit, limit, clawback) for deposit in client.deposits]
    if kept == [kept_of(deposit, granted.qualified_at, clawback) for deposit in client.deposits]:
        return granted
    there = before_the_first_loss(client.deposits, kept, granted.qualified_at, limit, clawback)
    if _qualified(client, there, trades, component, currency, terms).is_due:
        return _lowered(granted, kept, component, currency, terms)  # what is left still qualifies
    return _qualified(client, kept, trades, component, currency, terms) if component.requalify else NOT_DUE


def _lowered(
    granted: Qualification, kept: Iterable[Deposit], component: Cpa, currency: str, terms: Terms
) -> Qualification:
    """It stands as of its time, for the amount of what is left: of tiers by deposit the one that still is.

    Never for more than it was granted for: what came after the first deposits does not count.
    """
    left = _first_deposits(kept, component)
    _, ftd = _deposited(left, ZERO, currency, terms)
    return granted if ftd >= granted.ftd else granted._replace(ftd=ftd, deposits=left)


def _first_qualified(
    client: ClientState,
    trades: Qualifying,
    component: Cpa,
    currency: str,
    clawback: Clawback,
    terms: Terms,
) -> Qualification:
    """The first instant the client qualifies by what was not taken back until then."""
    assert client.registered_at is not None, "only a registered client is weighed"
    taken = (taken for deposit in client.deposits for taken in deposit.taken_back)
    losses = {t.at for t in taken if getattr(clawback, t.reason) != "none"}
    for since, until in pairwise([*sorted({client.registered_at, *losses}), _NEVER]):
        kept = [kept_of(deposit, since, clawback) for deposit in client.deposits]
        found = _qualified(client, kept, trades, component, currency, terms, since)
        if found.qualified_at is not None and found.qualified_at < until:
            return found
    return NOT_DUE


def _is_wanted(client: ClientState, component: Cpa | Cpl) -> bool:
    return is_in_market(component.countries, component.countries_not, client.country) and (
        not component.channels or client.click.get("channel", "") in component.channels
    )


def _cpl_standing(client: ClientState, component: Cpl) -> Qualification:
    if not component.kyc:
        return Qualification(is_due=True, qualified_at=client.registered_at)
    approved_at = _approved_at(client)
    return NOT_DUE if approved_at is None else Qualification(is_due=True, qualified_at=approved_at)


def _approved_at(client: ClientState) -> datetime | None:
    return next((mark.at for mark in client.kyc if mark.status == "approved"), None)


def _qualified(
    client: ClientState,
    deposits: Iterable[Deposit],
    trades: Qualifying,
    component: Cpa,
    currency: str,
    terms: Terms,
    since: datetime = BEGINNING,
) -> Qualification:
    """The first instant not before `since` at which all conditions hold, if they do inside the window."""
    assert client.registered_at is not None, "only a registered client is weighed"
    amounts = [amount for amount in component.amounts if amount.country in ("", client.country)]
    if not amounts:
        return NOT_DUE
    least = min(amount.min_deposit for amount in amounts)
    first = _first_deposits(deposits, component)
    deposited_at, ftd = _deposited(first, least, currency, terms)
    approved_at = _approved_at(client)
    if deposited_at is None or approved_at is None:
        return NOT_DUE
    earliest = max(client.registered_at, deposited_at, approved_at, since)
    qualified_at = _traded_at(trades, component, earliest, first, currency, terms)
    if qualified_at is None or qualified_at > deadline(client, component):
        return NOT_DUE
    return Qualification(is_due=True, qualified_at=qualified_at, ftd=ftd, deposits=first)


def _first_deposits(deposits: Iterable[Deposit], component: Cpa) -> tuple[Deposit, ...]:
    """The first deposit and those within the window after it, in the order of their time."""
    cleared = [(d.cleared_at, d.deposit_id, d) for d in deposits if d.cleared_at and d.amount is not None]
    cleared.sort(key=lambda moment: moment[:2])
    window = timedelta(hours=component.ftd_window_hours)
    return tuple(deposit for at, _, deposit in cleared if at <= cleared[0][0] + window)


def _deposited(
    deposits: Iterable[Deposit], least: Decimal, currency: str, terms: Terms
) -> tuple[datetime | None, Decimal]:
    """When the deposits reached `least`, and their sum."""
    total, reached_at = ZERO, None
    for deposit in deposits:
        assert deposit.cleared_at is not None, "only cleared deposits are counted"
        assert deposit.amount is not None, "a cleared deposit has an amount"
        rate = terms.convert(deposit.currency, currency, deposit.cleared_at)
        if rate is not None:
            total += rate.of(deposit.amount)
        if reached_at is None and total >= least:
            reached_at = deposit.cleared_at
    return reached_at, total


def lacks_rate(client: ClientState, currency: str, terms: Terms) -> bool:
    """Whether some deposit cannot be weighed yet, for want of a rate to the currency of the conditions."""
    cleared = ((d.currency, d.cleared_at) for d in client.deposits if d.cleared_at is not None)
    return any(terms.convert(source, currency, at) is None for source, at in cleared)


def _traded_at(
    trades: Qualifying,
    component: Cpa,
    earliest: datetime,
    deposits: tuple[Deposit, ...],
    currency: str,
    terms: Terms,
) -> datetime | None:
    """The first instant, not before `earliest`, at which enough was traded for what was deposited by then."""
    if not asks_for_trades(component):
        return earliest
    running = [NO_TRADE, *_running(trades.trades, component)]
    for count, trade in enumerate(running):
        at = max(earliest, trade.at)
        if count + 1 < len(running) and running[count + 1].at <= at:
            continue  # more was traded by then
        by_then = [d for d in deposits if d.cleared_at is not None and d.cleared_at <= at]
        _, ftd = _deposited(by_then, ZERO, currency, terms)
        if _is_enough(trade, count, component, ftd):
            return at
    return None


def _running(trades: Iterable[Traded], component: Cpa) -> Iterable[Traded]:
    """Sums so far, over the deals held long enough."""
    lots = spread = turnover = ZERO
    for trade in trades:
        if trade.held_s < component.min_holding_s:
            continue
        lots, spread, turnover = lots + trade.lots, spread + trade.spread, turnover + trade.turnover
        yield trade._replace(lots=lots, spread=spread, turnover=turnover)


def _is_enough(total: Traded, count: int, component: Cpa, ftd: Decimal) -> bool:
    return (
        total.lots >= component.min_lots
        and count >= component.min_trades
        and total.spread >= component.min_spread
        and total.turnover >= component.min_turnover * ftd
    )


def keep_qualifying(trades: Qualifying, components: Iterable[Cpa]) -> Qualifying:
    """Of what comes after every component is reached keep some: an earlier trade may yet be cancelled."""
    last = 0
    for component in components:
        count = _position_reached(trades, component)
        if count is None:
            return trades
        last = max(last, count)
    return Qualifying(trades=trades.trades[: last + MAX_SPARE_TRADES])


def _position_reached(trades: Qualifying, component: Cpa) -> int | None:
    if component.min_turnover > 0:
        return None  # its measure may still grow with the deposits
    held = [(n, trade) for n, trade in enumerate(trades.trades, 1) if trade.held_s >= component.min_holding_s]
    for count, total in enumerate(_running(trades.trades, component), 1):
        if _is_enough(total, count, component, ZERO):
            return held[count - 1][0]
    return None


def amount_for(amounts: Iterable[CpaAmount], country: str, ftd: Decimal) -> Decimal:
    """A named country beats none, then the largest minimum reached; 0 where none applies."""
    fits = [
        (bool(a.country), a.min_deposit, a.amount)
        for a in amounts
        if a.country in ("", country) and a.min_deposit <= ftd
    ]
    return max(fits)[2] if fits else ZERO


def earnings(
    links: tuple[Link, ...],
    name: str,
    client: ClientState,
    standing: Qualification,
    terms: Terms,
) -> tuple[Earned, ...] | Reason:
    """What each IB earns from one qualified client: its own amount above the best one below it."""
    at = standing.qualified_at
    assert at is not None, "only what qualified earns"
    grosses: list[Decimal] = []
    owns: list[tuple[PlanDefined, Cpa | Cpl] | None] = []
    for link in links:
        own = own_component(link, name)
        gross = ZERO
        if own is not None:
            found = _gross(link, own, client, standing, terms)
            if isinstance(found, Reason):
                return found
            gross = found
        grosses.append(gross)
        owns.append(own)
    kept = differences(grosses, [link.partner.currency for link in links], at, terms)
    if isinstance(kept, Reason):
        return kept
    return tuple(
        Earned(
            link,
            own[0],
            depth,
            own[1].kind,
            amount,
            own[1].name,
            ZERO,
            _factors(gross, amount, standing),
        )
        for depth, (link, own, gross, amount) in enumerate(zip(links, owns, grosses, kept, strict=True))
        if own is not None and amount > 0
    )


def own_component(link: Link, name: str) -> tuple[PlanDefined, Cpa | Cpl] | None:
    """The IB's own component of that name."""
    for component in (*link.by_kind.get("cpa", ()), *link.by_kind.get("cpl", ())):
        if isinstance(component, Cpa | Cpl) and component.name == name and link.plan is not None:
            return link.plan, component
    return None


def _gross(
    link: Link,
    own: tuple[PlanDefined, Cpa | Cpl],
    client: ClientState,
    standing: Qualification,
    terms: Terms,
) -> Decimal | Reason:
    plan, component = own
    at = standing.qualified_at
    assert at is not None, "only what qualified is priced"
    _, ftd = _deposited(standing.deposits, ZERO, plan.currency, terms)
    amount = amount_for(component.amounts, client.country, ftd) * link.held.factor
    gross = in_currency(amount, plan.currency, link.partner.currency, at, terms)
    return gross if isinstance(gross, Reason) else gross[0]


def _factors(gross: Decimal, amount: Decimal, standing: Qualification) -> Factors:
    factors: Factors = {"qualified_at": f"{standing.qualified_at:%Y-%m-%d %H:%M} UTC"}
    if standing.ftd:
        factors["ftd"] = standing.ftd
    if amount != gross:
        factors |= {"own": gross, "below": gross - amount}
    return factors
