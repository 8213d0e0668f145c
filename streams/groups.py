"""What waits for the fold of a partition: messages come one by one and are taken in groups."""

import asyncio
import time

from faust.types import EventT

from streams.stages import Stage

MAX_GROUP = 64
"""Messages of a partition that are applied as one."""
SMALL_GROUP = MAX_GROUP // 2
"""Messages; a group that has as many at hand begins at once, whatever its stage says."""
MAX_GROUP_BYTES = 4_000_000
"""Of a group; its last message may go beyond."""


class Waiting:
    """The messages of one partition that were fetched and are not applied yet."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self._began = stage, -stage.rest_s
        self._events = asyncio.Queue[EventT[bytes]](MAX_GROUP)

    async def put(self, event: EventT[bytes]) -> None:
        """Add one; wait while a whole group is there already."""
        await self._events.put(event)

    async def first(self) -> list[EventT[bytes]]:
        """Begin a group with the next message, once there is one."""
        return [await self._events.get()]

    async def fill(self, group: list[EventT[bytes]]) -> None:
        """Add what is behind it. A small group is held for it for as long as its stage says."""
        rest_s = self._began + self._stage.rest_s - time.monotonic()
        pause_s = max(self._stage.gather_s, rest_s)
        if pause_s > 0 and self._events.qsize() < SMALL_GROUP:
            await asyncio.sleep(pause_s)
        self._began = time.monotonic()
        size = len(group[0].message.value or b"")
        while not self._events.empty() and size < MAX_GROUP_BYTES:
            group.append(self._events.get_nowait())
            size += len(group[-1].message.value or b"")
