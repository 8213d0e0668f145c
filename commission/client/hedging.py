"""Hedged volume: of what an account bought and sold of one symbol, the larger side is paid."""

from collections.abc import Iterable

from commission.client.deal_volume import DealVolume
from commission.client.state import Hedged
from commission.events import Deal


def with_deal(known: Hedged, deal: Deal, opened_e8: int, closed_e8: int) -> Hedged:
    """With one more opening, in the order of time; the same deal again changes nothing."""
    if any(trade.key == deal.deal_key for trade in known.deals):
        return known
    trades = sorted(
        [*known.deals, DealVolume(deal, opened_e8, closed_e8)],
        key=lambda trade: (trade.deal.occurred_at, trade.key),
    )
    return Hedged(deals=_paid(trades))


def without_deal(known: Hedged, deal_key: str) -> Hedged:
    """Without a deal that was cancelled or changed."""
    return Hedged(deals=_paid(trade for trade in known.deals if trade.key != deal_key))


def paid_e8(hedged: Hedged, deal_key: str) -> int:
    """What of the deal's opening is paid."""
    return next(trade.paid_e8 for trade in hedged.deals if trade.key == deal_key)


def changed(before: Hedged, after: Hedged) -> list[DealVolume]:
    """The deals known before of which another volume is paid now."""
    was = {trade.key: trade.paid_e8 for trade in before.deals}
    return [t for t in after.deals if t.key in was and was[t.key] != t.paid_e8]


def _paid(trades: Iterable[DealVolume]) -> tuple[DealVolume, ...]:
    """Each opening pays what it adds to max(bought, sold)."""
    bought = sold = 0
    paid: list[DealVolume] = []
    for deal, opened_e8, closed_e8, _ in trades:
        before = max(bought, sold)
        if deal.side == "buy":
            bought += opened_e8
        else:
            sold += opened_e8
        paid.append(DealVolume(deal, opened_e8, closed_e8, max(bought, sold) - before))
    return tuple(paid)
