"""MT5's Web API as a live source: deals by periods of the server's clock, from a cursor with an overlap.

The cursor is a time of the server's clock. A deal's number tells nothing about time, and a deal may be
added or edited with an old one: the overlap finds those of the last minutes, a window the older ones.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Self

from commission.events import Deal
from ingest.counts import Counts
from ingest.formats.typed_cells import typed_code
from ingest.mt5.batch import Mt5Batch, SourceRecord
from ingest.mt5.dialects import MANAGER, server_time
from ingest.mt5.web_access import WebApi
from ingest.mt5.web_accounts import Accounts
from ingest.mt5.web_deals import Period, WebDeals
from ingest.mt5.web_session import TooLarge, WebApiPool
from ingest.server_time import MIN_YEAR
from ingest.source_items import Item
from ingest.sources import DeadLetterWriter, Page, RowRejected, ServerProfile, UnreadableSource
from schemas.errors import Unavailable

KIND = "mt5-web-api"
OVERLAP = timedelta(minutes=15)
"""How far before its cursor a poll reads again."""
AHEAD = timedelta(days=1)
"""How far after our own clock a poll reads: a server's clock may be ahead of ours."""
FIRST_STEP = timedelta(days=1)
MAX_STEP = timedelta(days=32)
MIN_STEP = timedelta(seconds=1)
FEW_DEALS = 2_000
"""A period with fewer deals is followed by one twice as long."""
BEGINNING = datetime(MIN_YEAR, 1, 1)  # noqa: DTZ001 - a server's wall clock has no zone
MAX_CURSOR_CHARS = 15

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a server's wall clock has no zone
_QUARTER = timedelta(minutes=15)
_MS = timedelta(milliseconds=1)


class Mt5WebApi:
    """The deals of one MT5 server, read from its Web API."""

    def __init__(
        self,
        api: WebApi,
        profile: ServerProfile,
        *,
        counts: Counts | None = None,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._profile = profile
        self._pool = WebApiPool(api, sleep)
        self._deals = WebDeals(self._pool, profile.clock)
        self._accounts = Accounts(self._pool, profile)
        self._counts = counts
        self._now = now

    def poll(self, cursor: str) -> Iterator[Page]:
        """Yield what the server has since `cursor` minus an overlap, period by period."""
        reached = time_of(cursor)
        now = self._profile.clock.to_server_time(self._now())
        for period, raws in self._periods(max(reached - OVERLAP, BEGINNING), now, AHEAD):
            reached = max(reached, _reached(raws, period, now))
            yield Page(list(self._items(raws)), cursor_of(reached))

    def window(self, since: datetime, until: datetime) -> Iterator[Item]:
        """Yield every deal with `since <= occurred_at < until`, and what cannot be read near it."""
        clock = self._profile.clock
        first = max(clock.to_server_time(since), BEGINNING)
        for _, raws in self._periods(first, clock.to_server_time(until), timedelta(0)):
            for item in self._items(raws):
                if not isinstance(item, Deal) or since <= item.occurred_at < until:
                    yield item

    def cursor_at(self, moment: datetime) -> str:
        """The cursor from which every deal since `moment` is read."""
        return cursor_of(max(self._profile.clock.to_server_time(moment), BEGINNING))

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _periods(
        self, first: datetime, end: datetime, ahead: timedelta
    ) -> Iterator[tuple[Period, list[object]]]:
        """Read from `first` to `end` as much at once as one answer holds, and in the last part `ahead` of it.

        A repeated hour is in one part as a whole, since only its deals together tell its two passes apart.
        """
        first, step, is_last = self._moved(first, -_QUARTER), FIRST_STEP, False
        while not is_last:
            is_last = first + step >= end
            last = self._moved(end if is_last else first + step, _QUARTER)
            period = Period(first, last + ahead if is_last else last)
            try:
                raws = self._deals.of(period)
            except TooLarge as large:
                step, is_last = min(step, period.last - first) / 2, False
                if step < MIN_STEP:
                    raise Unavailable(f"one second of {self._profile.server} is too large: {large}") from None
                continue
            yield period, raws
            first = last
            step = min(step * 2, MAX_STEP) if len(raws) < FEW_DEALS else step

    def _moved(self, at: datetime, step: timedelta) -> datetime:
        """Move a time out of a repeated hour."""
        while self._profile.clock.is_repeated(at):
            at += step
        return at

    def _items(self, raws: list[object]) -> Iterator[Item]:
        numbers = [typed_code(raw.get("Login")) if isinstance(raw, Mapping) else None for raw in raws]
        logins = [number if number is not None and number > 0 else None for number in numbers]
        profiles = self._accounts.profiles(login for login in logins if login is not None)
        batch = Mt5Batch(
            MANAGER, DeadLetterWriter(f"{KIND} {self._profile.server}", self._now()), counts=self._counts
        )
        return batch.items(
            SourceRecord(raw, _position(raw), self._profile if login is None else profiles[login])
            for raw, login in zip(raws, logins, strict=True)
        )


def cursor_of(reached: datetime) -> str:
    """Spell a time of the server's clock as a cursor: milliseconds since 1970."""
    return str((reached - _EPOCH) // _MS)


def time_of(cursor: str) -> datetime:
    """Read a cursor; raise `UnreadableSource` for what is none."""
    if not cursor:
        return BEGINNING
    if not (cursor.isdecimal() and cursor.isascii() and len(cursor) <= MAX_CURSOR_CHARS):
        raise UnreadableSource(f"`{cursor[:40]}` is not a cursor of a Web API; begin again without one")
    return _EPOCH + int(cursor) * _MS


def _reached(raws: list[object], period: Period, now: datetime) -> datetime:
    """Up to where nothing more is expected: a day behind the present all, in the present the newest deal.

    Neither our clock nor a deal of the future carries the cursor over deals still to come.
    """
    if period.last + AHEAD <= now:
        return period.last
    newest = BEGINNING
    for raw in raws:
        try:
            newest = max(newest, server_time(raw, MANAGER) if isinstance(raw, Mapping) else BEGINNING)
        except RowRejected:
            continue
    return min(newest, now)


def _position(raw: object) -> str:
    """A record's place, the same in every answer."""
    number = typed_code(raw.get(MANAGER.deal)) if isinstance(raw, Mapping) else None
    return f"deal {'unknown' if number is None else number}"
