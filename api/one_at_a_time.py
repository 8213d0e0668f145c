"""Work that many may ask for and one does: who asks meanwhile gets the same result."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")


class OneAtATime(Generic[Result]):
    """Runs in a thread; one event loop asks."""

    def __init__(self) -> None:
        self._running: dict[object, asyncio.Task[Result]] = {}

    async def run(self, key: object, work: Callable[[], Result]) -> Result:
        """The result of the work with that key that is under way, or of one begun now.

        A caller who leaves does not end it: others may wait for it, and the ledger is read to the end.
        """
        task = self._running.get(key)
        if task is None:
            task = asyncio.create_task(asyncio.to_thread(work))
            self._running[key] = task
            task.add_done_callback(lambda _: self._running.pop(key))
        return await asyncio.shield(task)
