"""The order in which a message takes effect: whatever crashes between steps, nothing is lost or doubled.

1. fold: pure, and the same for the same message however often it is repeated
2. send the outputs, and wait until Kafka has all of them
3. append the state as one record batch, with the message's offset in it, and wait
4. make it visible to the next message
5. acknowledge, which is the caller's; the group's commit is only a hint

A crash before 3 is durable repeats the message with the same outputs under the same source position, which
receivers skip; a crash after it finds the message applied.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from streams.partition import Message, Partition


class Effects(Protocol):
    """What reaches outside the process. Each returns only when it is durable, and raises if it may not be."""

    async def send(self, messages: Sequence[Message]) -> None:
        """Append outputs to their topics, in order within a partition."""

    async def append_state(self, partition: Partition, state: Mapping[bytes, bytes | None]) -> None:
        """Append all of a message's state to the changelog: whole, or not at all."""


async def apply(
    partition: Partition, effects: Effects, offset: int, value: bytes, source: str, received_at: datetime
) -> None:
    """Apply the message at `offset`, once; return when it may be acknowledged."""
    step = partition.step(offset, value, source, received_at)
    if step is None:
        return  # applied before
    await effects.send(step.messages)
    await effects.append_state(partition, step.state)
    partition.commit(step)
