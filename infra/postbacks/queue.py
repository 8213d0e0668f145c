"""What waits for one endpoint: by due time, as many at once as it takes, and nobody else's business."""

import asyncio
import heapq
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import NamedTuple

from commission.postbacks.records import Endpoint
from infra.postbacks.breaker import Breaker
from schemas.attempts import Attempt

log = logging.getLogger("ibflow.postbacks")

MINUTE_S = 60.0
LONGEST_WAIT_S = 60.0
"""A clock that was set is noticed within this."""


class Due(NamedTuple):
    """A delivery that waits; what it is stands in its partition's state."""

    at: float
    """Seconds since 1970."""
    sequence: int
    delivery_id: str
    partition: int
    owner: str
    """The client, or the IB, whose events keep their order."""


Answered = Callable[[Attempt], None]
Send = Callable[[Due, Answered], Awaitable[Attempt | None]]
"""Try once, tell of the answer, and return when that is durable; None if the delivery is another's by now."""
MAX_SETTLING = 500
"""Answered and not durable yet, of one endpoint: what a kill may repeat."""


class EndpointQueue:
    """One endpoint's deliveries of this process."""

    def __init__(self, name: str, send: Send) -> None:
        self.name, self._send = name, send
        self.endpoint: Endpoint | None = None
        self.is_open = False
        self.breaker = Breaker()
        self._heap: list[Due] = []
        self._behind: dict[str, tuple[int, deque[Due]]] = {}
        """Of an ordered endpoint, by owner: its partition, and those behind the first."""
        self._running: set[asyncio.Task[None]] = set()
        self._asking: set[Due] = set()
        """Of those that run, the ones that wait for an answer: only they are at the receiver."""
        self._wake = asyncio.Event()
        self._next_start = 0.0

    def __len__(self) -> int:
        behind = sum(len(line) for _, line in self._behind.values())
        return len(self._heap) + behind + len(self._running)

    def set(self, endpoint: Endpoint, *, is_open: bool) -> None:
        """Take over what was decided about the endpoint."""
        was_ordered = self.endpoint is not None and self.endpoint.is_ordered
        if is_open and not self.is_open:
            self.breaker = Breaker()  # a person resumed it
        self.endpoint, self.is_open = endpoint, is_open
        if was_ordered and not endpoint.is_ordered:
            rest = [due for _, line in self._behind.values() for due in line]
            self._behind.clear()
            for due in rest:
                heapq.heappush(self._heap, due)
        self._wake.set()

    def add(self, due: Due) -> None:
        """Let a delivery wait."""
        if self.endpoint is not None and self.endpoint.is_ordered:
            if due.owner in self._behind:
                self._behind[due.owner][1].append(due)
                return
            self._behind[due.owner] = due.partition, deque()
        heapq.heappush(self._heap, due)
        self._wake.set()

    def forget(self, partition: int) -> None:
        """Another process has the partition now."""
        self._heap = [due for due in self._heap if due.partition != partition]
        heapq.heapify(self._heap)
        self._behind = {owner: one for owner, one in self._behind.items() if one[0] != partition}

    async def run(self) -> None:
        """Start what is due, until cancelled."""
        try:
            while True:
                self._wake.clear()
                pause = self._start_due()
                try:
                    await asyncio.wait_for(self._wake.wait(), pause)
                except TimeoutError:
                    continue
        finally:
            for task in self._running:
                task.cancel()

    def _start_due(self) -> float:
        """Start everything that may go now; seconds until something else may."""
        endpoint = self.endpoint
        if endpoint is None or not self.is_open or not self._heap:
            return LONGEST_WAIT_S
        gap = MINUTE_S / endpoint.rate_per_minute if endpoint.rate_per_minute else 0.0
        while self._heap:
            now, clock = time.time(), time.monotonic()
            if len(self._running) - len(self._asking) >= MAX_SETTLING:
                return LONGEST_WAIT_S
            if len(self._asking) >= self.breaker.limit(clock, endpoint.concurrency):
                return max(self.breaker.until - clock, 0.05) if clock < self.breaker.until else LONGEST_WAIT_S
            if (early := self._heap[0].at - now) > 0:
                return min(early, LONGEST_WAIT_S)
            if (early := self._next_start - clock) > 0:
                return early
            self._next_start = max(self._next_start, clock) + gap
            due = heapq.heappop(self._heap)
            self._asking.add(due)
            task = asyncio.create_task(self._try(due))
            self._running.add(task)
            task.add_done_callback(self._ended)
        return LONGEST_WAIT_S

    async def _try(self, due: Due) -> None:
        begun = time.monotonic()
        try:
            attempt = await self._send(due, lambda attempt: self._answered(due, begun, attempt))
        finally:
            self._asking.discard(due)
        if attempt is None:
            self._next_of(due.owner)
        elif attempt.outcome in ("retry", "disabled"):
            again = attempt.next_attempt_at or attempt.attempted_at
            heapq.heappush(self._heap, due._replace(at=again.timestamp()))
        else:
            self._next_of(due.owner)

    def _answered(self, due: Due, begun: float, attempt: Attempt) -> None:
        """The receiver has room for another, unless it is left alone from here on."""
        self._asking.discard(due)
        clock = time.monotonic()
        if attempt.outcome == "delivered":
            self.breaker.succeeded(clock)
        else:
            asked_s = _seconds_until(attempt.next_attempt_at)
            self.breaker.failed(begun, clock, attempt.http_status, asked_s)
        self._wake.set()

    def _next_of(self, owner: str) -> None:
        if owner not in self._behind:
            return
        _, line = self._behind[owner]
        if line:
            heapq.heappush(self._heap, line.popleft())
        else:
            del self._behind[owner]

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        self._wake.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a delivery to %s was not finished; it is made again", self.name, exc_info=error)


def _seconds_until(at: datetime | None) -> float:
    return 0.0 if at is None else max((at - datetime.now(UTC)).total_seconds(), 0.0)
