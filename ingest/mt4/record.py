"""One MT4 ticket, whatever source told it, to the deals of the pipeline: the last step of every MT4 source.

A ticket mutates: open it is one deal, closed it is two, under the same numbers. A source translates
its dialect into an `Mt4Record`; what a record means is decided here, once.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from commission.events import Deal, DealKind, Entry, Side
from commission.revision import revision
from ingest.formats.cells import ZERO, check_price
from ingest.mt4.partial_closes import reopened_e8
from ingest.sources import RowRejected, ServerProfile

ARCHIVED = "archived_summary"
"""What a ticket that is a sum of archived ones is counted as: it is skipped."""

_OPPOSITE: dict[Side, Side] = {"buy": "sell", "sell": "buy"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mt4Record:
    """A ticket in one dialect for all: `side` None is a cash operation, whose amount is `profit`.

    Times are UTC with the platform's own text beside; `closed_at` None means that the ticket is open.
    Dead and waiting pending orders are no records: their sources skip them.
    """

    ticket: int
    login: int
    kind: DealKind
    side: Side | None
    opened_at: datetime
    open_time: str
    closed_at: datetime | None = None
    close_time: str = ""
    symbol: str = ""
    volume_e8: int = 0
    open_price: Decimal | None = None
    close_price: Decimal | None = None
    profit: Decimal = ZERO
    commission: Decimal = ZERO
    taxes: Decimal = ZERO
    swap: Decimal = ZERO
    agent_commission: Decimal | None = None
    """Of a closed ticket, where the source has it. No part of a revision: it moves nothing in our books."""
    currency: str
    rate_profit: Decimal | None = None
    """Profit currency to deposit currency, at the closing."""
    contract_size: Decimal | None = None
    open_reason: str = ""
    close_reason: str = ""
    reopened_e8: int | None = None
    """What of a closed ticket's volume lives on in another ticket; None: the source does not know."""
    group: str = ""
    comment: str = ""
    source: str = ""


def to_deals(record: Mt4Record, profile: ServerProfile) -> tuple[Deal, ...]:
    """Make a ticket's opening deal and, once closed, its closing deal; raise `RowRejected`.

    Once closed, all amounts are on the closing deal: an open ticket's commission moves there. A deleted
    ticket ends both: nobody remembers here whether it had been closed. A sum of archived tickets is no
    deal: the tickets were, and their amounts would count twice.
    """
    if record.side is None:
        return (_cash(record, profile),)
    if is_archived(record):
        return ()
    if record.kind == "deleted":
        ended_at = record.closed_at or record.opened_at
        return (_opening(record, profile, ZERO), _closing(record, profile, ended_at))
    check_price(record.open_price)
    closed_at = record.closed_at
    if closed_at is None:
        return (_opening(record, profile, record.commission),)
    if closed_at < record.opened_at:
        raise RowRejected("bad_time", f"ticket {record.ticket} is closed before it is opened")
    check_price(record.close_price)
    if profile.close_reopen:
        reopened = reopened_e8(
            ticket=record.ticket,
            volume_e8=record.volume_e8,
            comment=record.comment,
            remainder_e8=record.reopened_e8,
            group=record.group or profile.group,
            profile=profile,
        )
        record = replace(record, volume_e8=record.volume_e8 - reopened)
    return (_opening(record, profile, ZERO), _closing(record, profile, closed_at))


def is_archived(record: Mt4Record) -> bool:
    """Tell a `Summary trade result`, in which a server sums up tickets it moved to its archive."""
    return record.symbol.casefold() == "profit" and not record.open_price and not record.close_price


def to_close_reason(comment: str) -> str:
    """Tell from the comment why a ticket was closed, where a source has no field for it."""
    lowered = comment.lower()
    for mark, reason in (("[sl]", "stop_loss"), ("[tp]", "take_profit")):
        if mark in lowered:
            return reason
    return "stop_out" if lowered.startswith(("so:", "[so")) else ""


def _cash(record: Mt4Record, profile: ServerProfile) -> Deal:
    return _deal(record, profile, str(record.ticket), None, record.opened_at, profit=record.profit)


def _opening(record: Mt4Record, profile: ServerProfile, commission: Decimal) -> Deal:
    return _deal(record, profile, f"{record.ticket}:open", "in", record.opened_at, commission=commission)


def _closing(record: Mt4Record, profile: ServerProfile, closed_at: datetime) -> Deal:
    return _deal(
        record,
        profile,
        f"{record.ticket}:close",
        "out",
        closed_at,
        profit=record.profit,
        commission=record.commission,
        fee=record.taxes,
        swap=record.swap,
    )


def _deal(
    record: Mt4Record,
    profile: ServerProfile,
    deal_id: str,
    entry: Entry | None,
    occurred_at: datetime,
    *,
    profit: Decimal = ZERO,
    commission: Decimal = ZERO,
    fee: Decimal = ZERO,
    swap: Decimal = ZERO,
) -> Deal:
    is_close = entry == "out"
    side = _OPPOSITE[record.side] if is_close and record.side is not None else record.side
    price = record.close_price if is_close else record.open_price
    position_id = str(record.ticket) if entry is not None else ""
    reason = record.close_reason if is_close else record.open_reason
    is_service = not profile.service_reasons.isdisjoint((record.open_reason, reason))  # who opened it counts
    return Deal(
        platform="mt4",
        server=profile.server,
        login=record.login,
        deal_id=deal_id,
        revision=revision(
            kind=record.kind,
            occurred_at=occurred_at,
            currency=record.currency,
            profit=profit,
            commission=commission,
            fee=fee,
            swap=swap,
            side=side,
            entry=entry,
            symbol=record.symbol,
            volume_e8=record.volume_e8,
            price=price,
            position_id=position_id,
            is_service=is_service,
        ),
        kind=record.kind,
        occurred_at=occurred_at,
        server_time=record.close_time if is_close else record.open_time,
        side=side,
        entry=entry,
        symbol=record.symbol,
        volume_e8=record.volume_e8,
        contract_size=record.contract_size,
        position_id=position_id,
        price=price,
        profit=profit,
        commission=commission,
        fee=fee,
        swap=swap,
        agent_commission=record.agent_commission if is_close else None,
        currency=record.currency,
        rate_profit=record.rate_profit if is_close else None,
        reason=reason,
        is_service=is_service,
        group=record.group or profile.group,
        comment=record.comment,
        source=record.source,
    )
