"""CPA: one amount per client once it qualifies, decided from the facts' own times, not their arrival."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from commission.client_state import ClientState, Deposit, Qualifying
from commission.hierarchy import differences, in_currency
from commission.known import Link, Terms
from commission.money import EXACT, Money, plain
from commission.pricing import Reason
from commission.rating import Earned
from commission.terms import Cpa

MAX_SPARE_TRADES = 64
"""Trades kept beyond the lots a CPA asks for: as many may be cancelled without losing count."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether the client's CPA is due, and since when it qualified."""

    is_due: bool
    qualified_at: datetime | None = None


def condition(chain: tuple[Link, ...]) -> tuple[Cpa, str] | None:
    """The component whose conditions count, and its currency: that of the lowest IB with a CPA."""
    for link in chain:
        for component in link.by_kind.get("cpa", ()):
            if isinstance(component, Cpa) and link.plan is not None:
                return component, link.plan.currency
    return None


def standing(client: ClientState, trades: Qualifying, cpa: Cpa, currency: str, terms: Terms) -> Standing:
    """Weigh all facts known; deposits charged back inside the clawback window do not count."""
    qualified_at = _qualified_at(client, client.deposits, trades, cpa, currency, terms)
    if qualified_at is None:
        return Standing(is_due=False)
    limit = qualified_at + timedelta(days=cpa.clawback_days)
    kept = [d for d in client.deposits if d.charged_back_at is None or d.charged_back_at > limit]
    if len(kept) < len(client.deposits) and _qualified_at(client, kept, trades, cpa, currency, terms) is None:
        return Standing(is_due=False, qualified_at=qualified_at)
    return Standing(is_due=True, qualified_at=qualified_at)


def earnings(chain: tuple[Link, ...], at: datetime, terms: Terms) -> tuple[Earned, ...] | Reason:
    """What each IB earns from one qualified client: its own CPA above the best one below it."""
    grosses: list[tuple[Link, Money]] = []
    for link in chain:
        own = next((c for c in link.by_kind.get("cpa", ()) if isinstance(c, Cpa)), None)
        money = Money(Decimal(0), link.partner.currency)
        if own is not None and link.plan is not None:
            converted = in_currency(Money(own.amount, link.plan.currency), link.partner.currency, at, terms)
            if isinstance(converted, Reason):
                return converted
            money = converted[0]
        grosses.append((link, money))
    kept = differences(grosses, at, terms)
    if isinstance(kept, Reason):
        return kept
    return tuple(
        Earned(link, depth, "cpa", amount, "cpa", Decimal(0), _factors(gross, amount, at))
        for depth, ((link, gross), amount) in enumerate(zip(grosses, kept, strict=True))
        if amount > 0
    )


def _factors(gross: Money, amount: Decimal, at: datetime) -> dict[str, str]:
    factors = {
        "qualified at": f"{at:%Y-%m-%d %H:%M} UTC",
        "own amount": f"{plain(gross.amount)} {gross.currency}",
    }
    if amount != gross.amount:
        factors["best amount below"] = f"{plain(gross.amount - amount)} {gross.currency}"
    return {**factors, "amount": f"{plain(amount)} {gross.currency}"}


def _qualified_at(
    client: ClientState,
    deposits: Iterable[Deposit],
    trades: Qualifying,
    cpa: Cpa,
    currency: str,
    terms: Terms,
) -> datetime | None:
    """The first instant all conditions hold, or None if they do not inside the window."""
    if client.registered_at is None:
        return None
    deadline = client.registered_at + timedelta(days=cpa.qualification_days)
    moments = (
        client.registered_at,
        _deposited_at(deposits, cpa, currency, terms),
        next((mark.at for mark in client.kyc if mark.status == "approved"), None),
        _traded_at(trades, cpa),
    )
    if any(moment is None for moment in moments):
        return None
    qualified_at = max(moment for moment in moments if moment is not None)
    return qualified_at if qualified_at <= deadline else None


def _deposited_at(deposits: Iterable[Deposit], cpa: Cpa, currency: str, terms: Terms) -> datetime | None:
    """When the first deposit and those within the window after it reached the minimum."""
    cleared = [(d.cleared_at, d) for d in deposits if d.cleared_at is not None and d.amount is not None]
    cleared.sort(key=lambda moment: (moment[0], moment[1].deposit_id))
    total = Decimal(0)
    for at, deposit in cleared:
        if at > cleared[0][0] + timedelta(hours=cpa.ftd_window_hours):
            return None
        rate = terms.convert(deposit.currency, currency, at)
        if rate is not None and deposit.amount is not None:
            total += EXACT.multiply(deposit.amount, rate.rate)
        if total >= cpa.min_deposit:
            return at
    return None


def lacks_rate(client: ClientState, currency: str, terms: Terms) -> bool:
    """Whether some deposit cannot be weighed yet, for want of a rate to the currency of the conditions."""
    cleared = ((d.currency, d.cleared_at) for d in client.deposits if d.cleared_at is not None)
    return any(terms.convert(source, currency, at) is None for source, at in cleared)


def _traded_at(trades: Qualifying, cpa: Cpa) -> datetime | None:
    """When the lots were reached; with no lots asked for, at the beginning of time."""
    if cpa.min_lots <= 0:
        return datetime.min.replace(tzinfo=UTC)
    total = Decimal(0)
    for trade in trades.trades:
        total += trade.lots
        if total >= cpa.min_lots:
            return trade.at
    return None


def keep_qualifying(trades: Qualifying, min_lots: Decimal) -> Qualifying:
    """Of what comes after the lots are reached keep some: an earlier trade may yet be cancelled."""
    total = Decimal(0)
    for index, trade in enumerate(trades.trades):
        total += trade.lots
        if total >= min_lots:
            return Qualifying(trades=trades.trades[: index + 1 + MAX_SPARE_TRADES])
    return trades
