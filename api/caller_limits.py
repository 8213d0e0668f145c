"""Turns: how many requests of one caller run at once, so that nobody takes all of the ledger's clients."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

MAX_RUNNING = 4
"""Of one caller; the ledger has twice as many clients."""
MAX_WAITING = 64
"""Of one caller, for a turn; more are refused."""


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
