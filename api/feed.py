"""What is posted, as it is stored: one look at the ledger a second for all who listen, and a bound on each.

The newest rows are asked for once, whoever listens; each reader is handed those of its scope. A reader has a
place in the feed, the id of an event, and goes on from there after a break: what it missed is read from the
ledger. Nothing is remembered across a restart but what the ledger has.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from starlette.concurrency import run_in_threadpool

from api.ledger import Ledger, LedgerUnavailable, Row
from api.queries.newest import newest, unread
from api.queries.periods import ALWAYS
from api.scope import EVERYTHING, Scope

log = logging.getLogger(__name__)

POLL_S = 1.0
MAX_ROWS = 500
"""Of one look, and of what a reader has missed; more are left out, and the feed says so."""
MAX_QUEUED = 1_000  # that wait for one reader
MAX_READERS, MAX_READERS_OF_ONE = 128, 4
OVERLAP = timedelta(seconds=2)
"""Rows may be seen a moment after the time that they have: so far each look goes back."""
_NOW = "SELECT now64(3, 'UTC') AS now, toUnixTimestamp64Nano(now64(9)) AS nanos"


class Reader:
    """Somebody who listens: what waits for them, and why they are cut off, if they are."""

    def __init__(self, scope: Scope, shown: Callable[[Row], Row]) -> None:
        """`shown` gives a row as this reader may see it: by pseudonyms, where those are kept."""
        self.scope, self.shown = scope, shown
        self.waiting: asyncio.Queue[Row | None] = asyncio.Queue(MAX_QUEUED)
        self.end = ""
        self._is_after_gap = False

    def give(self, row: Row | None) -> None:
        """Hand on a row that is in scope; None says that some were left out, once until there is a row."""
        if self.end or (row is not None and not self.scope.has(row["ib_id"])):
            return
        if row is None and self._is_after_gap:
            return
        self._is_after_gap = row is None
        try:
            self.waiting.put_nowait(row)
        except asyncio.QueueFull:
            self.cut("slow: more came than was read")

    def is_over(self) -> bool:
        """Whether it was cut off."""
        return bool(self.end)

    def cut(self, reason: str) -> None:
        """Let it end with a reason, once what it is sent now is sent."""
        self.end = self.end or reason
        if self.waiting.full():
            self.waiting.get_nowait()
        self.waiting.put_nowait(None)  # wakes whoever waits


class Feed:
    """Everybody who listens to one ledger. One event loop uses it."""

    def __init__(self, ledger: Ledger, poll_s: float = POLL_S) -> None:
        self._ledger, self._poll_s = ledger, poll_s
        self._readers: set[Reader] = set()
        self._by_caller: Counter[str] = Counter()
        self._task: asyncio.Task[None] | None = None
        self._begun = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._looked_at = 0
        """When last, in nanoseconds, by the database's clock."""
        self.looks = 0
        """How often the ledger was asked."""

    def has_room(self, caller: str) -> bool:
        """Whether one more may listen: of the caller's, and of all."""
        return len(self._readers) < MAX_READERS and self._by_caller[caller] < MAX_READERS_OF_ONE

    @contextmanager
    def listening(self, caller: str, scope: Scope, shown: Callable[[Row], Row] = dict) -> Iterator[Reader]:
        """A reader while the block lasts."""
        assert self.has_room(caller)
        reader = Reader(scope, shown)
        self._by_caller[caller] += 1
        self._readers.add(reader)
        if self._task is None or self._task.done():
            self._loop, self._begun = asyncio.get_running_loop(), asyncio.Event()
            self._task = self._loop.create_task(self._run())
        try:
            yield reader
        finally:
            self._readers.discard(reader)
            self._by_caller -= Counter({caller: 1})
            if not self._readers and self._task is not None:
                self._task.cancel()
                self._task = None

    async def begun(self) -> None:
        """Wait until whoever listens is handed what is stored from now on, or is cut.

        What a reader missed is read after that: what is stored between the two would else be told by neither.
        """
        await self._begun.wait()

    def close(self) -> None:
        """Let every reader end; from any thread. A server that stops waits for its answers to end."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._cut_all)

    def _cut_all(self) -> None:
        for reader in self._readers:
            reader.cut("the server stops")
        self._begun.set()

    async def _run(self) -> None:
        begun: tuple[datetime, dict[str, datetime]] | None = None
        while True:
            try:
                if begun is None:
                    begun = await run_in_threadpool(self._begin)
                    self._begun.set()
                after, seen = begun
                begun = await self._look(after, seen), seen
            except LedgerUnavailable as error:
                log.warning("the feed: %s", error)
            await asyncio.sleep(self._poll_s)

    def _begin(self) -> tuple[datetime, dict[str, datetime]]:
        """The database's time, and what was stored just before it: nobody who listens now waits for that."""
        found = self._ledger.row(_NOW)
        now: datetime = found["now"]
        self._looked_at = int(found["nanos"])
        return now, times_of(rows_after(self._ledger, EVERYTHING, now - OVERLAP))

    async def _look(self, after: datetime, seen: dict[str, datetime]) -> datetime:
        """Hand on what was stored since; when the newest was. `seen` are those handed on of that time."""
        self.looks += 1
        rows = await run_in_threadpool(rows_after, self._ledger, EVERYTHING, after - OVERLAP)
        new = [row for row in rows if row["transfer_id"] not in seen and row["stored_at"] > after - OVERLAP]
        has_more, self._looked_at = await run_in_threadpool(unread, self._ledger, self._looked_at)
        is_cut = has_more or (len(rows) == MAX_ROWS and rows[0]["transfer_id"] not in seen)
        for reader in self._readers:
            if is_cut:
                reader.give(None)
            for row in new:
                reader.give(row)
        seen |= times_of(new)
        newest_at = max([after, *seen.values()])
        for one in [one for one, at in seen.items() if at <= newest_at - OVERLAP]:
            del seen[one]
        return newest_at


def times_of(rows: list[Row]) -> dict[str, datetime]:
    """When each of these was stored, by id."""
    return {row["transfer_id"]: row["stored_at"] for row in rows}


def rows_after(ledger: Ledger, scope: Scope, after: datetime) -> list[Row]:
    """What was stored after a time, oldest first, at most the newest `MAX_ROWS`."""
    return newest(ledger, scope, ALWAYS, "", MAX_ROWS, after)[::-1]
