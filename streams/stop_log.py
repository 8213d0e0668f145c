"""The log of operations as Kafka has it: read from its beginning, folded, and written to."""

import asyncio
import logging
from collections.abc import Callable
from typing import TypeVar

from schemas.errors import Unavailable
from schemas.stops import OPERATION, Operation, Operations, decode_operation
from schemas.topics import OPERATIONS
from streams.shielded import shielded
from streams.single_log import SingleLog, append_to

log = logging.getLogger("ibflow.worker")

RETRY_SECONDS = 1.0
Answer = TypeVar("Answer")


class OperationsLog:
    """The fold of the log so far; `read` goes on where it stopped."""

    def __init__(self, kafka: str) -> None:
        self._log = SingleLog(kafka, OPERATIONS)
        self.state = Operations()

    def read(self) -> Operations:
        """Fold everything written before this call; raise `Unavailable` if Kafka does not tell."""
        for _, message in self._log.read():
            self.state.learn(decode_operation(message))
        return self.state

    def close(self) -> None:
        """Leave the broker; the state stays, and the next `read` goes on after it."""
        self._log.close()


class SharedLog:
    """The log of operations for all runners of one worker: read in a thread, one reader at a time."""

    def __init__(self, kafka: str) -> None:
        self._kafka, self._log, self._lock = kafka, OperationsLog(kafka), asyncio.Lock()

    async def read(self) -> Operations:
        """Everything written before this call; wait for Kafka as long as it takes."""
        while True:
            try:
                return await shielded(self._alone(self._log.read))
            except Unavailable as error:
                log.warning("%s; trying again", error)
                await asyncio.sleep(RETRY_SECONDS)

    async def write(self, operation: Operation) -> bool:
        """Append one operation; False if Kafka did not take it, or may not have."""
        try:
            await asyncio.to_thread(append, self._kafka, operation)
        except Unavailable as error:
            log.warning(
                "%s %s/%s is not written yet: %s",
                operation.type,
                operation.topic,
                operation.partition,
                error,
            )
            return False
        return True

    async def close(self) -> None:
        """Leave the broker until the next `read`."""
        await shielded(self._alone(self._log.close))

    async def _alone(self, use: Callable[[], Answer]) -> Answer:
        async with self._lock:
            return await asyncio.to_thread(use)


def append(kafka: str, operation: Operation) -> None:
    """Write one operation and wait until Kafka has it; raise `Unavailable` if it may not."""
    append_to(kafka, OPERATIONS, OPERATION.dump_json(operation))
