"""Bugs planted on purpose: each replaces one part, and the simulation must find it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from streams import protocol
from streams.partition import Message, OffsetGapError, Partition, Step
from streams.sink import Sink
from tests.simulation.process import Effects, Parts, overlay
from tests.simulation.world import Hazards, Place, Producer, State


async def state_first(
    partition: Partition, effects: protocol.Effects, messages: Sequence[protocol.Incoming]
) -> tuple[int, protocol.Refused | None]:
    """The protocol with its steps 2 and 3 exchanged, one message after another."""
    for number, message in enumerate(messages):
        try:
            step = partition.step(*message)
        except OffsetGapError as error:
            return number, protocol.Refused(message.offset, error)
        if step is not None:
            await effects.append_state(partition, step.state)
            await effects.send(step.messages)
            partition.commit(step)
    return len(messages), None


class Unawaited(Effects):
    """Outputs are handed to the producer, as faust's `send` does, and not awaited."""

    async def send(self, messages: Sequence[Message]) -> None:
        """Return at once."""
        self.enqueue(messages)


class Torn(Effects):
    """State is sent key by key, as Faust's tables do."""

    async def append_state(self, partition: Partition, state: State) -> None:
        """Append each key by itself."""
        for sending in [self.runner.send_state({key: value}) for key, value in state.items()]:
            await sending.acknowledgement()


class OffsetApart(Effects):
    """The offset is no part of the state: it is kept after it, in a record of its own."""

    async def append_state(self, partition: Partition, state: State) -> None:
        """Append the rest, then the offset."""
        own = partition.key("@")
        await self.runner.send_state({k: v for k, v in state.items() if k != own}).acknowledgement()
        await self.runner.send_state({own: state[own]}).acknowledgement()


def at_the_commit(_partition: Partition, committed: int) -> int:
    """Stock Faust: resumed before it is sought, a partition reads on from the group's commit."""
    return committed


class HoleUnchecked(Partition):
    """Whatever offset comes is applied."""

    def step(self, offset: int, value: bytes, source: str, received_at: datetime) -> Step | None:
        """Take up at the offset that came."""
        if offset > self.applied.offset + 1:
            self.applied = replace(self.applied, offset=offset - 1)
        return super().step(offset, value, source, received_at)


class SourcesForgotten(Partition):
    """The receiver does not look at source positions: what is sent again is applied again."""

    def step(self, offset: int, value: bytes, source: str, received_at: datetime) -> Step | None:
        """Fold as if it came from outside."""
        return super().step(offset, value, "", received_at)


class SourcesNotKept(Partition):
    """The receiver looks at source positions, and a restart forgets them."""

    @classmethod
    def recover(cls, *arguments: Any) -> Partition:
        """Take up without what was seen of the senders."""
        partition = super().recover(*arguments)
        partition.applied = replace(partition.applied, sources={})
        return partition


class PositionsFirst(Sink):
    """Positions before the rows that nobody waits for."""

    def _store_rest(self) -> None:
        self._store_positions()
        super()._store_rest()


class SinkTakesRepeats(Sink):
    """A sink that stores what receivers skip."""

    def _unseen(self, place: Place, source: str, value: bytes) -> bytes:
        """Everything, whatever it repeats."""
        return value


class TakenWhole(Partition):
    """A receiver that knows no segments: what travels with something new is new."""

    def step(self, offset: int, value: bytes, source: str, received_at: datetime) -> Step | None:
        """Look at the newest position only."""
        return super().step(offset, value, source.partition("|")[0], received_at)


class NotIdempotent(Producer):
    """A producer with several requests under way: a retried one lands after its successor."""

    def step(self, place: Place) -> None:
        """Send the first to the end of the queue, now and then."""
        queue = self.queues[place]
        if not queue[0].is_landed and len(queue) > 1 and self.world.chance.random() < 0.5:
            queue.rotate(-1)
        super().step(place)


# What closes the two holes around a rebalance, see README.md


def replay_without_late(batches: Sequence[State]) -> dict[bytes, bytes]:
    """Read a changelog without what came late: a batch whose offset is not above the newest one seen."""
    store: dict[bytes, bytes] = {}
    newest = -1
    for batch in batches:
        position = next(value for key, value in batch.items() if key.endswith(b"/@"))
        offset = json.loads(position or b"{}").get("offset", -1)
        if offset > newest:
            newest = offset
            overlay(store, batch)
    return store


class Superseded(Effects):
    """State of a partition that was recovered meanwhile does not become visible: the worker restarts."""

    async def append_state(self, partition: Partition, state: State) -> None:
        """Append, and go no further with a partition that is not the current one."""
        await super().append_state(partition, state)
        if self.runner.is_taking_up or self.runner.partition is not partition:
            raise OffsetGapError(f"{self.runner.name} was recovered while a message was being applied")


# What a fold that knows things by their events, not by what they are, would do


def always_new(*_: object) -> str:
    """Whatever comes under an event id of its own says something new."""
    return "new"


def never_old(*_: object) -> bool:
    """A deal that comes again is taken for another revision."""
    return False


def forget(*_: object) -> None:
    """What the CRM names by itself is not kept."""


@dataclass(frozen=True, slots=True)
class Bug:
    """What is planted, and a seed from which on it is found soon."""

    name: str
    parts: Parts = field(default_factory=Parts)
    hazards: Hazards = field(default_factory=Hazards)
    near: int = 0


BUGS = (
    Bug("state before outputs are acknowledged", Parts(apply=state_first)),
    Bug("outputs not awaited", Parts(effects=Unawaited)),
    Bug("state in many records", Parts(effects=Torn)),
    Bug("offset not in the state", Parts(effects=OffsetApart), near=8),
    Bug("starts at the commit", Parts(start=at_the_commit)),
    Bug("hole not checked", Parts(partition=HoleUnchecked)),
    Bug("source positions not looked at", Parts(partition=SourcesForgotten)),
    Bug("source positions not kept", Parts(partition=SourcesNotKept)),
    Bug("what travels together is taken whole", Parts(partition=TakenWhole)),
    Bug("the sink stores repeats", Parts(sink=SinkTakesRepeats)),
    Bug("dropped fetches not read again", Parts(redelivers=False)),
    Bug("sink positions before rows", Parts(sink=PositionsFirst)),
    Bug("producer reorders", Parts(producer=NotIdempotent)),
    Bug("every event id is a new fact", Parts(fold={"commission.client.repeats._compare": always_new})),
    Bug("ids of facts are not kept", Parts(fold={"commission.client.repeats._remember_fact": forget})),
    Bug(
        "a deal that comes again is rated again",
        Parts(fold={"commission.books.client.is_old": never_old}),
    ),
    Bug("changelog not fenced", hazards=Hazards(late_state=True), near=5),
    Bug("recovered under a message in flight", hazards=Hazards(overlap=True), near=10),
)
REMEDIES = (
    Bug(
        "changelog not fenced, late batches ignored",
        Parts(replay=replay_without_late),
        Hazards(late_state=True),
    ),
    Bug(
        "recovered under a message in flight, which then ends",
        Parts(effects=Superseded),
        Hazards(overlap=True),
    ),
)
"""The same two, with something that closes them: nothing may be found."""
