"""The order in which messages take effect: whatever crashes between steps, nothing is lost or doubled.

1. fold: pure, and the same for the same message however often it is repeated
2. send the outputs, and wait until Kafka has all of them
3. append the state in one transaction, with the last message's offset in it, and wait
4. take it into the store
5. acknowledge, which is the caller's; the group's commit is only a hint

A crash before 3 is durable repeats the messages with the same outputs under the same source positions, which
receivers skip; a crash after it finds them applied. Messages that wait are applied as one group: what a step
costs in round trips is shared by all, so groups grow with the backlog.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from streams.partition import Message, Partition


class Incoming(NamedTuple):
    """A message as it stands in the log."""

    offset: int
    value: bytes
    source: str
    received_at: datetime


class Effects(Protocol):
    """What reaches outside the process. Each returns only when it is durable, and raises if it may not be."""

    async def send(self, messages: Sequence[Message]) -> None:
        """Append outputs to their topics, in order within a partition."""

    async def append_state(self, partition: Partition, state: Mapping[bytes, bytes | None]) -> None:
        """Append all state to the changelog: whole, or not at all."""


class Refused(NamedTuple):
    """A message that cannot be folded; those before it have taken effect."""

    offset: int
    error: Exception


async def apply(
    partition: Partition, effects: Effects, messages: Sequence[Incoming]
) -> tuple[int, Refused | None]:
    """Apply messages in order; how many may be acknowledged, and what is wrong with the next one.

    If an effect fails, its error is raised, and the partition has to be recovered: it is ahead of its state.
    """
    outputs: list[Message] = []
    refused: Refused | None = None
    done = 0
    for message in messages:
        try:
            step = partition.step(*message)
        except Exception as error:
            refused = Refused(message.offset, error)
            break
        if step is not None:
            outputs.extend(step.messages)
            partition.advance(step)
        done += 1
    if partition.ahead:
        await effects.send(outputs)
        await effects.append_state(partition, partition.ahead)
        partition.settle()
    return done, refused
