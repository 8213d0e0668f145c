"""What one caller may ask: so many requests at once, that others get their turns, and so many a minute."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from math import ceil
from typing import NamedTuple

MAX_RUNNING = 4
"""Of one caller; the ledger has twice as many clients."""
MAX_WAITING = 64
"""Of one caller, for a turn; more are refused."""


MAX_A_MINUTE = 3_000
"""Of one caller: ten times what a person clicks together, and a third of what one process answers."""
MINUTE_S = 60.0


class TooMany(Exception):
    """The caller has too many requests under way."""


class Turns:
    """Who runs and who waits, by caller. One event loop uses it."""

    def __init__(self) -> None:
        self._asked: dict[str, int] = defaultdict(int)
        self._free: dict[str, asyncio.Semaphore] = {}

    @asynccontextmanager
    async def of(self, caller: str) -> AsyncIterator[None]:
        """Wait for a turn of the caller's; raise `TooMany` where too many wait already."""
        if self._asked[caller] >= MAX_RUNNING + MAX_WAITING:
            raise TooMany
        self._asked[caller] += 1
        turn = self._free.setdefault(caller, asyncio.Semaphore(MAX_RUNNING))
        try:
            async with turn:
                yield
        finally:
            self._asked[caller] -= 1
            if not self._asked[caller]:
                del self._asked[caller], self._free[caller]


class Rate(NamedTuple):
    """What a caller has left of the minute."""

    limit: int
    left: int
    """Below zero: what is asked is beyond the limit."""
    reset_s: int
    """Until the next minute begins."""

    @property
    def is_used_up(self) -> bool:
        """Whether this request is beyond the limit."""
        return self.left < 0

    @property
    def headers(self) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers-07 spells them."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(max(self.left, 0)),
            "RateLimit-Reset": str(self.reset_s),
        }


class Rates:
    """How much of the minute each caller has used. All minutes begin together; one event loop uses it."""

    def __init__(self, limit: int = MAX_A_MINUTE, now: Callable[[], float] = time.monotonic) -> None:
        self._limit, self._now = limit, now
        self._began = now()
        self._used: dict[str, int] = defaultdict(int)

    def count(self, caller: str) -> Rate:
        """Count one request in, and say what is left."""
        now = self._now()
        if now - self._began >= MINUTE_S:
            self._began = now
            self._used.clear()
        self._used[caller] += 1
        until = ceil(self._began + MINUTE_S - now)
        return Rate(self._limit, self._limit - self._used[caller], max(until, 1))
