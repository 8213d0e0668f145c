"""The loop around a live server: ask, publish, keep the place, wait; again after every failure.

The order of the effects is what makes a crash harmless: 1 publish, 2 keep the place. Between the two, what
was published is published again by the next start, and counts once.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from random import SystemRandom

from commission.events import Deal
from ingest.counts import Counts
from ingest.live.cursor_file import CursorFile, Place
from ingest.publish.publisher import Publisher
from ingest.source_items import Item
from ingest.sources import LiveSource
from schemas.dead_letters import DeadLetter
from schemas.errors import Unavailable

WINDOW_OVERLAP = timedelta(hours=1)
"""How far before the newest deal everything is read again after a start or a lost connection."""
MAX_AHEAD = timedelta(days=1)
"""A server's clock that is set wrong may show deals of the future."""
STEP_ITEMS = 5_000
MAX_REMEMBERED = 100_000
"""Deals whose newest revision is remembered, so that what is read twice is not sent twice."""
FIRST_DELAY_S = 1.0
MAX_DELAY_S = 60.0

_RANDOM = SystemRandom()
_NOWHERE = Place()


class Recent:
    """What was published lately, by business key and revision."""

    def __init__(self) -> None:
        self._revisions: dict[str, str] = {}

    def unknown(self, items: Iterable[Item]) -> list[Item]:
        """The items that were not published lately, each once and in order."""
        seen = dict[str, str]()
        found = []
        for item in items:
            key, revision = _identity(item)
            if not key or seen.get(key, self._revisions.get(key)) != revision:
                found.append(item)
            seen[key] = revision
        return found

    def remember(self, items: Iterable[Item]) -> None:
        """Note what Kafka has; the oldest are forgotten."""
        for key, revision in map(_identity, items):
            self._revisions.pop(key, None)
            self._revisions[key] = revision
        for key in list(islice(self._revisions, max(len(self._revisions) - MAX_REMEMBERED, 0))):
            del self._revisions[key]


def back_off_s(failures: int, jitter: Callable[[], float] = _RANDOM.random) -> float:
    """Seconds to wait after so many failures in a row: doubled each time, spread so that none meet."""
    longest = min(FIRST_DELAY_S * 2.0 ** min(failures - 1, 16), MAX_DELAY_S)
    return longest * (0.5 + jitter() / 2)


@dataclass(slots=True)
class Polling:
    """One server being read. `told` hears what a person may want to know, a sentence each.

    `sweep` compares a window with the ledger and puts on record what was missing; it is called after a start
    or a failure, with what may have been missed. It must not raise because the ledger cannot be asked.
    """

    source: LiveSource
    bootstrap: str
    places: CursorFile
    interval_s: float
    since: datetime | None = None
    """Where to begin if no place is kept; None is the beginning."""
    told: Callable[[str], None] = lambda _: None
    on_progress: Callable[[Counts], None] = lambda _: None
    sweep: Callable[[datetime, datetime], None] = lambda _since, _until: None
    counts: Counts = field(default_factory=Counts)
    _place: Place = _NOWHERE
    _kept: Place | None = None
    _recent: Recent = field(default_factory=Recent)
    _publisher: Publisher | None = None

    def run(self, stop: threading.Event, *, once: bool = False) -> None:
        """Read until `stop` is set, or `once` until there is no more for now.

        With `once` a failure is raised; else it is told, and reading begins again after a while.
        """
        with self.places.held():
            self._kept = self.places.load()
            self._place = self._kept or _NOWHERE
            failures, is_trusted = 0, False
            while not stop.is_set():
                try:
                    self._round(stop, is_trusted=is_trusted)
                except Unavailable as error:
                    if once:
                        raise
                    failures, is_trusted, self._publisher = failures + 1, False, None
                    wait_s = back_off_s(failures)
                    self.told(f"{error}; trying again in {wait_s:.0f} s")
                else:
                    failures, is_trusted, wait_s = 0, True, self.interval_s
                if once:
                    return
                stop.wait(wait_s)

    def _round(self, stop: threading.Event, *, is_trusted: bool) -> None:
        """Read what is new; before that, after a start or a failure, what may have been missed."""
        if not self._place.cursor and self.since is not None:
            self._place = Place(self.source.cursor_at(self.since), None)
        if not is_trusted and (last := self._place.last_deal_at) is not None:
            now = datetime.now(UTC)
            self.sweep(last - WINDOW_OVERLAP, now)
            until = now + MAX_AHEAD
            for step in _steps(self.source.window(last - WINDOW_OVERLAP, until)):
                self._publish(step)
                if stop.is_set():
                    return
        for page in self.source.poll(self._place.cursor):
            self._publish(page.items)
            self._keep(page.cursor)
            if stop.is_set():
                return

    def _publish(self, items: Iterable[Item]) -> None:
        unknown = self._recent.unknown(items)
        if not unknown:
            return
        if self._publisher is None:
            self._publisher = Publisher(self.bootstrap)
        self._publisher.publish(unknown)
        self._recent.remember(unknown)
        for item in unknown:
            self.counts.add(item)
        self.on_progress(self.counts)
        self._place = Place(self._place.cursor, self._newest(unknown))

    def _newest(self, items: Iterable[Item]) -> datetime | None:
        """The newest time of a deal so far; one of the future would hide what is still to come."""
        now = datetime.now(UTC)
        times = [item.occurred_at for item in items if isinstance(item, Deal) and item.occurred_at <= now]
        if self._place.last_deal_at is not None:
            times.append(self._place.last_deal_at)
        return max(times, default=None)

    def _keep(self, cursor: str) -> None:
        self._place = Place(cursor, self._place.last_deal_at)
        if self._place != self._kept:
            self.places.save(self._place)
            self._kept = self._place


def _identity(item: Item) -> tuple[str, str]:
    """What makes an item the same as another; "" for what is always sent."""
    if isinstance(item, Deal):
        return item.deal_key, item.revision
    return (item.dead_letter_id, "") if isinstance(item, DeadLetter) else ("", "")


def _steps(items: Iterator[Item]) -> Iterator[list[Item]]:
    while step := list(islice(items, STEP_ITEMS)):
        yield step
