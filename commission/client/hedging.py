"""Hedged volume: of what an account bought and sold of one symbol, the larger side is paid."""

from collections.abc import Iterable

from commission.client.state import Hedged
from commission.events import Deal

Trade = tuple[Deal, int, int, int]
"""Deal, opened, closed and paid 1e-8 lots."""


def with_deal(known: Hedged, deal: Deal, opened_e8: int, closed_e8: int) -> Hedged:
    """With one more opening, in the order of time; the same deal again changes nothing."""
    if any(trade[0].deal_key == deal.deal_key for trade in known.deals):
        return known
    trades = sorted(
        [*known.deals, (deal, opened_e8, closed_e8, 0)],
        key=lambda trade: (trade[0].occurred_at, trade[0].deal_key),
    )
    return Hedged(deals=_paid(trades))


def without_deal(known: Hedged, deal_key: str) -> Hedged:
    """Without a deal that was cancelled or changed."""
    return Hedged(deals=_paid(trade for trade in known.deals if trade[0].deal_key != deal_key))


def paid_e8(hedged: Hedged, deal_key: str) -> int:
    """What of the deal's opening is paid."""
    return next(trade[3] for trade in hedged.deals if trade[0].deal_key == deal_key)


def changed(before: Hedged, after: Hedged) -> list[Trade]:
    """The deals known before of which another volume is paid now."""
    was = {trade[0].deal_key: trade[3] for trade in before.deals}
    return [t for t in after.deals if t[0].deal_key in was and was[t[0].deal_key] != t[3]]


def _paid(trades: Iterable[Trade]) -> tuple[Trade, ...]:
    """Each opening pays what it adds to max(bought, sold)."""
    bought = sold = 0
    paid: list[Trade] = []
    for deal, opened_e8, closed_e8, _ in trades:
        before = max(bought, sold)
        if deal.side == "buy":
            bought += opened_e8
        else:
            sold += opened_e8
        paid.append((deal, opened_e8, closed_e8, max(bought, sold) - before))
    return tuple(paid)
