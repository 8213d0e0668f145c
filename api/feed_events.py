"""The feed as a reader gets it: server-sent events, behind a place where it was before."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from api import feed
from api.feed import Reader, rows_after, times_of
from api.ledger import Ledger, Row
from api.queries.days import EPOCH
from api.queries.newest import unread
from api.scope import Scope
from commission.money import plain

HEARTBEAT_S = 15.0
LIFE_S = 600.0
"""Then a reader asks again, and the gate looks at it again; its scope is as of then."""
SLACK_S = 2.0
"""Between the clocks of the database and of this process."""
FIELDS = (
    "transfer_id", "code", "ib_id", "client_id", "component", "symbol", "lots", "amount", "currency",
    "occurred_at", "stored_at",
)  # fmt: skip


class Place(NamedTuple):
    """Behind which event a reader goes on."""

    stored_at: datetime
    transfer_id: str


def place_of(event_id: str) -> Place | None:
    """Read `Last-Event-ID`; None for what is none of ours."""
    millis, _, transfer_id = event_id.partition(".")
    if not (millis.isascii() and millis.isdecimal() and len(millis) <= 13 and transfer_id):
        return None
    return Place(datetime.fromtimestamp(int(millis) / 1000, UTC), transfer_id)


def missed(ledger: Ledger, scope: Scope, place: Place) -> tuple[list[Row], bool]:
    """What came behind a place, oldest first, and whether some of it is left out."""
    rows = rows_after(ledger, scope, place.stored_at - timedelta(milliseconds=1))
    has_more, _ = unread(ledger, (place.stored_at - EPOCH) // timedelta(microseconds=1) * 1_000)
    ids = [row["transfer_id"] for row in rows]
    if place.transfer_id in ids:
        return rows[ids.index(place.transfer_id) + 1 :], has_more
    if len(rows) == feed.MAX_ROWS:
        return rows, True
    return [row for row in rows if row["stored_at"] > place.stored_at], has_more


# Server-sent events


def place_now() -> str:
    """The place that a page which is read from now on goes on behind; what it has already comes once more."""
    return f"{int((time.time() - SLACK_S) * 1000)}.now"


def event_of(row: Row) -> str:
    """A row as an event."""
    data = {name: _json(row[name]) for name in FIELDS}
    millis = round(row["stored_at"].timestamp() * 1000)
    return f"id: {millis}.{row['transfer_id']}\nevent: transfer\ndata: {json.dumps(data)}\n\n"


def _json(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value if isinstance(value, str) else plain(value)


GAP = 'event: gap\ndata: {"reason": "more was posted than is shown"}\n\n'
BEAT = ": still here\n\n"


def end_of(reason: str) -> str:
    """The last event, and why."""
    return f"event: end\ndata: {json.dumps({'reason': reason})}\n\n"


async def events(
    reader: Reader,
    before: tuple[Sequence[Row], bool],
    may_go_on: Callable[[], bool],
    *,
    beat_s: float = HEARTBEAT_S,
    life_s: float = LIFE_S,
) -> AsyncIterator[str]:
    """What was missed, then what comes, a heartbeat where nothing does; the end has a reason."""
    yield "retry: 3000\n\n"
    earlier, is_cut = before
    if is_cut:
        yield GAP
    for one in earlier:
        yield event_of(one)
    sent = times_of(list(earlier))
    loop = asyncio.get_running_loop()
    until, beat = loop.time() + life_s, loop.time() + beat_s
    while not reader.is_over():
        try:
            async with asyncio.timeout_at(beat):
                row = await reader.waiting.get()
        except TimeoutError:
            beat = loop.time() + beat_s
            if not may_go_on():
                reader.cut("the session is over")
            elif loop.time() >= until:
                reader.cut("ask again: a feed lasts ten minutes")
            else:
                yield BEAT
            continue
        if row is None and not reader.is_over():
            yield GAP
        elif row is not None and row["transfer_id"] not in sent:
            yield event_of(reader.shown(row))
    yield end_of(reader.end)
