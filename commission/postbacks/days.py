"""Closed trades of a day in one event: what waits of a client for an endpoint until the day's end is told."""

from decimal import Decimal

from msgspec.structs import replace

from commission.draft import Draft
from commission.outputs import Announcement, milestone_id_of
from commission.rating.values import ZERO
from commission.value import Value


class Batch(Value):
    """One client's closed trades of one day at one endpoint, not sent yet."""

    endpoint: str
    day: str
    last: Announcement
    """The newest by time."""
    symbol: str = ""
    """Of all of them; "" once there are two."""
    lots: Decimal = ZERO
    trades: int = 0


def add(draft: Draft, endpoint: str, event: Announcement) -> None:
    """Put a trade to those of its own day, in UTC: also one that comes late, after that day was sent."""
    day = f"{event.occurred_at:%Y-%m-%d}"
    place = f"b:{endpoint}:{day}:{event.client_id}"
    known: Batch | None = draft.get(place)
    last = event if known is None or event.occurred_at >= known.last.occurred_at else known.last
    draft.put(
        place,
        Batch(
            endpoint=endpoint,
            day=day,
            last=last,
            symbol=event.symbol if known is None or known.symbol == event.symbol else "",
            lots=(ZERO if known is None else known.lots) + (event.lots or ZERO),
            trades=(0 if known is None else known.trades) + event.trades,
        ),
    )


def take(draft: Draft, ended: str) -> list[Batch]:
    """What waits of days up to `ended`, as their keys are in order; it waits no more."""
    due: list[Batch] = []
    for place in draft.scan("b:"):
        batch = draft.get(place)
        assert isinstance(batch, Batch), f"{place} holds a batch"
        if batch.day <= ended:
            draft.put(place, None)
            due.append(batch)
    return due


def event_of(batch: Batch, ended: str) -> Announcement:
    """The batch as one event. What came late of a day has the day whose end it is sent with in its id."""
    last = batch.last
    return replace(
        last,
        milestone_id=milestone_id_of("trade.closed", last.client_id, f"{batch.endpoint}|{batch.day}|{ended}"),
        symbol=batch.symbol,
        lots=batch.lots,
        trades=batch.trades,
    )
