"""CPA and CPL: one amount per client once it qualifies, by the facts' own times, not their arrival."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from commission.client.cpa_losses import kept_of, losses_between
from commission.client.deposit_losses import ClearedDeposit, is_counted
from commission.client.deposits import net_of
from commission.client.qualifying import Qualifying, Traded
from commission.client.state import ClientState, Withdrawal
from commission.rating.eligibility import is_in_market
from commission.rating.values import ZERO
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
    deposits: tuple[ClearedDeposit, ...] = ()
    """Those that make the FTD amount, as far as they were not taken back."""


class Facts(NamedTuple):
    """What a client's CPAs are weighed by."""

    client: ClientState
    deposits: tuple[ClearedDeposit, ...]
    """Those that may count, by their time."""
    withdrawals: tuple[Withdrawal, ...]
    """All, where some CPA asks for net deposits; else none."""
    trades: Qualifying
    terms: Terms

    def as_asked(self, component: Cpa | Cpl, clawback: Clawback) -> "Facts":
        """The facts as the component counts deposits: with withdrawals as losses of the earliest, or not."""
        if not isinstance(component, Cpa) or not component.net_deposits or not self.withdrawals:
            return self
        return self._replace(deposits=net_of(self.deposits, self.withdrawals, self.terms, clawback))


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


def standing(facts: Facts, component: Cpa | Cpl, currency: str, clawback: Clawback) -> Qualification:
    """Weigh all facts known; what was taken back of deposits inside the clawback window does not count."""
    client = facts.client
    if not _is_wanted(client, component):
        return NOT_DUE
    if isinstance(component, Cpl):
        return _cpl_standing(client, component)
    facts = facts.as_asked(component, clawback)
    since = client.registered_at
    while since is not None:
        granted = _first_qualified(facts, component, currency, clawback, since)
        if granted.qualified_at is None:
            return NOT_DUE
        limit = granted.qualified_at + timedelta(days=min(component.clawback_days, clawback.window_days))
        kept = [kept_of(deposit, limit, clawback) for deposit in facts.deposits]
        if kept == [kept_of(deposit, granted.qualified_at, clawback) for deposit in facts.deposits]:
            return granted
        lost_at = None
        for at in losses_between(facts.deposits, granted.qualified_at, limit, clawback):
            there = [kept_of(deposit, at, clawback) for deposit in facts.deposits if deposit.cleared_at <= at]
            if not _qualified(facts, there, component, currency).is_due:
                lost_at = at
                break
        if lost_at is None:
            return _lowered(granted, kept, component, currency, facts.terms)  # what is left still qualifies
        later = (deposit.cleared_at for deposit in facts.deposits if deposit.cleared_at > lost_at)
        since = min(later, default=None) if component.requalify else None
    return NOT_DUE


def _lowered(
    granted: Qualification, kept: Iterable[ClearedDeposit], component: Cpa, currency: str, terms: Terms
) -> Qualification:
    """It stands as of its time, for the amount of what is left: of tiers by deposit the one that still is.

    Never for more than it was granted for: what came after the first deposits does not count.
    """
    left = first_deposits(kept, component)
    _, ftd = deposited(left, ZERO, currency, terms)
    return granted if ftd >= granted.ftd else granted._replace(ftd=ftd, deposits=left)


def _first_qualified(
    facts: Facts, component: Cpa, currency: str, clawback: Clawback, begin: datetime
) -> Qualification:
    """The first instant from `begin` on to qualify, by what was not taken back until then."""
    taken = (taken for deposit in facts.deposits for taken in deposit.losses)
    losses = {t.at for t in taken if is_counted(t, clawback) and t.at > begin}
    for since, until in pairwise([begin, *sorted(losses), _NEVER]):
        kept = [kept_of(deposit, since, clawback) for deposit in facts.deposits]
        found = _qualified(facts, kept, component, currency, since)
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
    facts: Facts,
    deposits: Iterable[ClearedDeposit],
    component: Cpa,
    currency: str,
    since: datetime = BEGINNING,
) -> Qualification:
    """The first instant not before `since` at which all conditions hold, if they do inside the window."""
    client = facts.client
    assert client.registered_at is not None, "only a registered client is weighed"
    amounts = amounts_for(component.amounts, client.country)
    if not amounts:
        return NOT_DUE
    least = min(amount.min_deposit for amount in amounts)
    first = first_deposits(deposits, component)
    deposited_at, ftd = deposited(first, least, currency, facts.terms)
    approved_at = _approved_at(client)
    if deposited_at is None or approved_at is None:
        return NOT_DUE
    earliest = max(client.registered_at, deposited_at, approved_at, since)
    qualified_at = _traded_at(facts, component, earliest, first, currency)
    if qualified_at is None or qualified_at > deadline(client, component):
        return NOT_DUE
    return Qualification(is_due=True, qualified_at=qualified_at, ftd=ftd, deposits=first)


def first_deposits(deposits: Iterable[ClearedDeposit], component: Cpa) -> tuple[ClearedDeposit, ...]:
    """The first deposit and those within the window after it, in the order of their time."""
    standing = sorted(deposit for deposit in deposits if deposit.amount > 0)
    window = timedelta(hours=component.ftd_window_hours)
    return tuple(d for d in standing if d.cleared_at <= standing[0].cleared_at + window)


def deposited(
    deposits: Iterable[ClearedDeposit], least: Decimal, currency: str, terms: Terms
) -> tuple[datetime | None, Decimal]:
    """When the deposits reached `least`, and their sum."""
    total, reached_at = ZERO, None
    for deposit in deposits:
        rate = terms.convert(deposit.currency, currency, deposit.cleared_at)
        if rate is not None:
            total += rate.of(deposit.amount)
        if reached_at is None and total >= least:
            reached_at = deposit.cleared_at
    return reached_at, total


def lacks_rate(facts: Facts, component: Cpa | Cpl, currency: str) -> bool:
    """Whether some deposit cannot be weighed yet, for want of a rate to the currency of the conditions."""
    moved = [(deposit.currency, deposit.cleared_at) for deposit in facts.deposits]
    if isinstance(component, Cpa) and component.net_deposits:
        moved += [(withdrawal.currency, withdrawal.at) for withdrawal in facts.withdrawals]
    return any(facts.terms.convert(source, currency, at) is None for source, at in moved)


def _traded_at(
    facts: Facts,
    component: Cpa,
    earliest: datetime,
    deposits: tuple[ClearedDeposit, ...],
    currency: str,
) -> datetime | None:
    """The first instant, not before `earliest`, at which enough was traded for what was deposited by then."""
    if not asks_for_trades(component):
        return earliest
    running = [NO_TRADE, *_running(facts.trades.trades, component)]
    for count, trade in enumerate(running):
        at = max(earliest, trade.at)
        if count + 1 < len(running) and running[count + 1].at <= at:
            continue  # more was traded by then
        by_then = [deposit for deposit in deposits if deposit.cleared_at <= at]
        _, ftd = deposited(by_then, ZERO, currency, facts.terms)
        if _is_enough(trade, count, component, ftd):
            return at
    return None


def _running(trades: Iterable[Traded], component: Cpa) -> Iterable[Traded]:
    """Sums so far, over the deals that count."""
    lots = spread = turnover = ZERO
    for trade in trades:
        if not _counts(trade, component):
            continue
        lots, spread, turnover = lots + trade.lots, spread + trade.spread, turnover + trade.turnover
        yield trade._replace(lots=lots, spread=spread, turnover=turnover)


def _counts(trade: Traded, component: Cpa) -> bool:
    """Whether the deal is one the component counts."""
    return component.name in (trade.names or (component.name,))


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
    end = last + MAX_SPARE_TRADES
    return Qualifying(trades=trades.trades[:end], dropped=trades.dropped or len(trades.trades) > end)


def is_short(trades: Qualifying, components: Iterable[Cpa]) -> bool:
    """Whether some were dropped that a component now asks for."""
    return trades.dropped and any(_position_reached(trades, component) is None for component in components)


def _position_reached(trades: Qualifying, component: Cpa) -> int | None:
    if component.min_turnover > 0:
        return None  # its measure may still grow with the deposits
    held = [(n, trade) for n, trade in enumerate(trades.trades, 1) if _counts(trade, component)]
    for count, total in enumerate(_running(trades.trades, component), 1):
        if _is_enough(total, count, component, ZERO):
            return held[count - 1][0]
    return None


def amounts_for(amounts: Iterable[CpaAmount], country: str) -> tuple[CpaAmount, ...]:
    """Those for clients of the country: what names it, and only without such what names none."""
    found = tuple(amounts)
    named = tuple(a for a in found if a.country and a.country == country)
    return named or tuple(a for a in found if not a.country)
