"""One MT5 deal, whatever source told it, to the deals of the pipeline: the last step of every MT5 source.

A source translates its dialect (words, numbers of enums, units, the clock) into an `Mt5Record`; what a
record means is decided here, once.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from commission.events import Deal, DealKind, Entry, Side
from commission.revision import revision
from ingest.counts import to_lots
from ingest.formats.cells import ZERO, check_price
from ingest.sources import RowRejected, ServerProfile


class Money(NamedTuple):
    """The amounts of one deal, in the account's currency, signed as the platform signs them."""

    profit: Decimal
    commission: Decimal = ZERO
    fee: Decimal = ZERO
    swap: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Mt5Record:
    """A deal in one dialect for all: `side` None is a cash operation, whose amount is `money.profit`.

    `occurred_at` is UTC, `server_time` the platform's own text. `volume_closed_e8` None: the source
    does not tell what an in/out closed, and the fold takes it from the running position. `position_id`
    None: nor does it tell the position.
    """

    deal: int
    login: int
    kind: DealKind
    side: Side | None
    entry: Entry | None
    occurred_at: datetime
    server_time: str
    money: Money
    currency: str
    symbol: str = ""
    volume_e8: int = 0
    volume_closed_e8: int | None = None
    price: Decimal | None = None
    position_id: str | None = ""
    order: str = ""
    """The order that made it; both legs of a close-by have the same."""
    contract_size: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    rate_profit: Decimal | None = None
    balance: Decimal | None = None
    reason: str = ""
    group: str = ""
    comment: str = ""
    source: str = ""


def to_deals(record: Mt5Record, profile: ServerProfile) -> tuple[Deal, ...]:
    """Make the deal of a record; raise `RowRejected`.

    An in/out stays one deal and the fold splits it: only some sources tell what it closed, and under
    ids of its parts the same deal from another source would count again.
    """
    if record.side is not None and record.kind == "trade":
        check_price(record.price)
    if record.side is not None and record.entry == "inout":
        check_reversal(record, profile)
    return (_deal(record, profile),)


def check_reversal(record: Mt5Record, profile: ServerProfile) -> None:
    """Raise `RowRejected` for an in/out on a hedging server, or one that closes all of its volume or more."""
    if profile.margin_mode == "hedging":
        raise RowRejected(
            "inout_on_hedging",
            f"a hedging account has no in/out deals, and the profile says that {profile.server} is"
            " hedging; correct its margin_mode and read the file again",
        )
    if record.volume_closed_e8 is not None and record.volume_closed_e8 >= record.volume_e8:
        raise RowRejected(
            "bad_volume_closed",
            f"VolumeClosed `{to_lots(record.volume_closed_e8):f}` leaves nothing of Volume"
            f" `{to_lots(record.volume_e8):f}` to open; an in/out closes less than its volume",
        )


def _deal(record: Mt5Record, profile: ServerProfile) -> Deal:
    profit, commission, fee, swap = record.money
    is_service = record.reason in profile.service_reasons
    return Deal(
        platform="mt5",
        server=profile.server,
        login=record.login,
        deal_id=str(record.deal),
        revision=revision(
            kind=record.kind,
            occurred_at=record.occurred_at,
            currency=record.currency,
            profit=profit,
            commission=commission,
            fee=fee,
            swap=swap,
            side=record.side,
            entry=record.entry,
            symbol=record.symbol,
            volume_e8=record.volume_e8,
            price=record.price,
            position_id=record.position_id,
            is_service=is_service,
        ),
        kind=record.kind,
        occurred_at=record.occurred_at,
        server_time=record.server_time,
        side=record.side,
        entry=record.entry,
        symbol=record.symbol,
        volume_e8=record.volume_e8,
        volume_closed_e8=record.volume_closed_e8 if record.entry == "inout" else None,
        contract_size=record.contract_size,
        position_id=record.position_id,
        close_by=record.order if record.entry == "out_by" else "",
        price=record.price,
        bid=record.bid,
        ask=record.ask,
        profit=profit,
        commission=commission,
        fee=fee,
        swap=swap,
        currency=record.currency,
        rate_profit=record.rate_profit,
        balance=record.balance,
        reason=record.reason,
        is_service=is_service,
        group=record.group or profile.group,
        comment=record.comment,
        source=record.source,
    )
