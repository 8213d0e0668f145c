"""A deal's revision: a digest of everything that matters for money and attribution."""

from datetime import datetime
from decimal import Decimal
from hashlib import blake2b

from commission.events import SERVICE_MARK, UNTOLD_MARK, Deal
from commission.money import plain

REVISION_BYTES = 8
AGAIN = "~"
"""Parts a revision from how often the deal had changed when it was told again."""


def revision(
    *,
    kind: str,
    occurred_at: datetime,
    currency: str,
    profit: Decimal,
    commission: Decimal = Decimal(0),
    fee: Decimal = Decimal(0),
    swap: Decimal = Decimal(0),
    side: str | None = None,
    entry: str | None = None,
    symbol: str = "",
    volume_e8: int = 0,
    volume_closed_e8: int | None = None,
    price: Decimal | None = None,
    position_id: str | None = "",
    is_service: bool = False,
) -> str:
    """Digest a deal into 16 hex digits; marks behind them tell an untold position and a service deal.

    Equal amounts give equal digests however they are spelled (`0`, `0.00`), so the same deal read
    from another source has the same revision. The time counts to the second, for terminal reports
    show no more. Comment, reason and source take no part, but for whether the reason makes it a
    service deal: a source that knows must correct one that could not. A position that was not told
    (None) takes no part either.
    """
    second = occurred_at.replace(microsecond=0).isoformat()
    matter = (
        f"{kind}\x1f{side}\x1f{entry}\x1f{symbol}\x1f{volume_e8}\x1f{volume_closed_e8}\x1f"
        f"{'' if price is None else plain(price)}\x1f{plain(profit)}\x1f{plain(commission)}\x1f"
        f"{plain(fee)}\x1f{plain(swap)}\x1f{currency}\x1f{second}\x1f{position_id or ''}"
    )
    marks = f"{UNTOLD_MARK if position_id is None else ''}{SERVICE_MARK if is_service else ''}"
    return f"{digest(matter)}{marks}"


def digest(matter: str) -> str:
    """The digest of what matters, already written in one line as `revision` writes it."""
    return blake2b(matter.encode(), digest_size=REVISION_BYTES).hexdigest()


def told_before(known: str) -> str:
    """What a source calls the revision: `1f…~2` is `1f…`, told again after another one had replaced it."""
    return known.partition(AGAIN)[0]


def revision_of(deal: Deal) -> str:
    """The revision that every MT5 source gives this deal, whatever its record says."""
    return revision(
        kind=deal.kind,
        occurred_at=deal.occurred_at,
        currency=deal.currency,
        profit=deal.profit,
        commission=deal.commission,
        fee=deal.fee,
        swap=deal.swap,
        side=deal.side,
        entry=deal.entry,
        symbol=deal.symbol,
        volume_e8=deal.volume_e8,
        price=deal.price,
        position_id=deal.position_id,
        is_service=deal.is_service,
    )
