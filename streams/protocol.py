"""The order in which messages take effect: whatever crashes between steps, nothing is lost or doubled.

1. fold: pure, and the same for the same message however often it is repeated
2. send the outputs, and wait until Kafka has all of them
3. append the state in one transaction, with the last message's offset in it, and wait
4. take it into the store
5. acknowledge, which is the caller's; the group's commit is only a hint

A crash before 3 is durable repeats the messages with the same outputs under the same source positions, which
receivers skip; a crash after it finds them applied. Messages that wait are applied as one group: what a step
costs in round trips is shared by all, so groups grow with the backlog. What a group says to one target
travels together, or messages would multiply by the partitions at every stage.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple, Protocol

from schemas.positions import Segment, joined, origin_of
from schemas.topics import SETTLEMENTS
from schemas.wire import MAX_BATCH_BYTES, MAX_BATCH_RECORDS
from streams.partition import Message, Partition

APART = (SETTLEMENTS,)
"""Each message of these topics has one cause: a statement's proof finds its place in the book by it."""


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
        await effects.send(join(outputs))
        await effects.append_state(partition, partition.ahead)
        partition.settle()
    return done, refused


def join(messages: Sequence[Message]) -> list[Message]:
    """Put what goes to one partition into as few messages as the limits allow, in order, as segments."""
    targets: dict[tuple[str, int], list[Message]] = {}
    for message in messages:
        targets.setdefault((message.topic, message.partition), []).append(message)
    return [
        joint
        for (topic, _), own in targets.items()
        for joint in (own if topic in APART or len(own) == 1 else _packed(own))
    ]


def _packed(messages: Sequence[Message]) -> Iterator[Message]:
    pack: list[tuple[Message, int]] = []
    lines = size = 0
    for message in messages:
        more, length = message.value.count(b"\n") + 1, len(message.value) + 1
        if pack and (lines + more > MAX_BATCH_RECORDS or size + length > MAX_BATCH_BYTES):
            yield _joint(pack)
            pack, lines, size = [], 0, 0
        pack.append((message, more))
        lines, size = lines + more, size + length
    yield _joint(pack)


def _joint(pack: Sequence[tuple[Message, int]]) -> Message:
    first = pack[0][0]
    if len(pack) == 1:
        return first
    origin, _ = origin_of(first.source)
    source = joined(origin, (Segment(origin_of(message.source)[1], lines) for message, lines in pack))
    return replace(first, value=b"\n".join(message.value for message, _ in pack), source=source)
