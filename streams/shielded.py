"""Work that goes on in a thread, awaited by what a rebalance may cancel at any time."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

log = logging.getLogger("ibflow.shielded")

Result = TypeVar("Result")


async def shielded(work: Coroutine[Any, Any, Result]) -> Result:
    """Await work that is not cancelled with its caller, so that its locks are held until its thread ends.

    A thread cannot be stopped: cancelled without this, it would go on beside the next one, with the same
    store or the same connection in its hands.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_tell)
        raise


def _tell(task: "asyncio.Task[Any]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.warning("what nobody waited for any more failed: %r", error)
