"""A worker process around the real partition and the real protocol, as Faust and its corrections run them.

Modelled on `streams/runner.py`, `streams/partition_run.py` and `streams/faust_fixes.py`: take up a partition
where its state ends, seek, resume; messages are fetched into a queue, and some fetches around a start are
dropped; a hole ends the process.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from streams import protocol
from streams.in_memory import EPOCH
from streams.partition import Message, Partition
from streams.protocol import Incoming, Refused
from streams.sink import Sink
from streams.stages import STAGES, Stage
from streams.store import MemoryStore
from tests.simulation.world import COUNTS, Place, Producer, Sending, State, Task, Wait, World, pause, told

PLACES: dict[Place, Stage] = {
    (stage.topic, number): stage for stage in STAGES for number in range(COUNTS[stage.topic])
}
"""Every partition that a worker reads, and the stage it belongs to."""
MAX_GROUP = 3
"""Messages that are applied as one."""
DROPPED_FETCHES = 0.2
COMMITS_AHEAD = 0.3
LONG_MOMENT = 30
"""Steps of a worker that wakes up, before it notices that its partitions were taken."""


class Effects:
    """What `protocol.apply` reaches the world through, as `BookRunner` does."""

    def __init__(self, runner: "Runner") -> None:
        self.runner = runner

    def enqueue(self, messages: Sequence[Message]) -> list[Sending]:
        """Hand outputs to the producer, in order."""
        send, origin = self.runner.process.producer.send, self.runner.stage.name
        return [send((message.topic, message.partition), message, 0, origin) for message in messages]

    async def send(self, messages: Sequence[Message]) -> None:
        """Append outputs and wait for every acknowledgement."""
        for sending in self.enqueue(messages):
            await sending.acknowledgement()

    async def append_state(self, partition: Partition, state: State) -> None:
        """Append state as one batch and wait for its acknowledgement."""
        await self.runner.send_state(dict(state)).acknowledgement()


def replay(batches: Sequence[State]) -> dict[bytes, bytes]:
    """Read a changelog as Faust does: the last value of a key counts."""
    store: dict[bytes, bytes] = {}
    for batch in batches:
        overlay(store, batch)
    return store


def overlay(store: dict[bytes, bytes], batch: State) -> None:
    """Put one batch of a changelog over a store."""
    for key, value in batch.items():
        if value is None:
            store.pop(key, None)
        else:
            store[key] = value


def after_its_state(partition: Partition, _committed: int) -> int:
    """Where a partition starts: after the offset its state carries, whatever the group committed."""
    return partition.applied.offset + 1


Apply = Callable[..., Awaitable[tuple[int, Refused | None]]]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the simulation is put together from: the real parts, each of which a planted bug may replace."""

    apply: Apply = protocol.apply
    partition: type[Partition] = Partition
    effects: type[Effects] = Effects
    start: Callable[[Partition, int], int] = after_its_state
    replay: Callable[[Sequence[State]], dict[bytes, bytes]] = replay
    producer: type[Producer] = Producer
    sink: type[Sink] = Sink
    redelivers: bool = True
    fold: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    """Functions of the fold, by name: replaced for the workers and for the undisturbed fold alike."""


class Runner:
    """One partition in one process: recovers it, then applies what is fetched."""

    def __init__(self, process: "Process", place: Place) -> None:
        self.process, self.place, self.stage = process, place, PLACES[place]
        self.changelog = self.stage.changelog, place[1]
        self.world, self.parts = process.world, process.parts
        self.queue: deque[tuple[int, Message]] = deque()
        self.position: int | None = None
        """The next offset to fetch; None while the partition is paused."""
        self.may_drop = True
        self.waited_for: int | None = None
        """The offset that the timer found missing the last time."""
        self.store: dict[bytes, bytes] = {}
        self.replayed = 0
        self.partition: Partition | None = None
        self.effects = self.parts.effects(self)
        self.term = self.world.new_term()
        self.steps_left: int | None = None
        """For a zombie: how often it acts before it notices that its partition was taken."""
        self.tasks = [Task(self._run())]

    async def _run(self) -> None:
        await self._take_up()
        while True:
            await Wait("message", lambda: bool(self.queue))
            partition = self.partition
            assert partition is not None, "a queue is filled after the seek"
            size = self.world.chance.randint(1, min(MAX_GROUP, len(self.queue)))
            group = [self.queue.popleft() for _ in range(size)]
            await pause("delivered")
            incoming = [Incoming(offset, m.value, m.source, EPOCH) for offset, m in group]
            done, refused = await self.parts.apply(partition, self.effects, incoming)
            for message in incoming[:done]:
                self._acknowledge(message.offset)
            if refused is not None:
                raise refused.error

    async def _take_up(self) -> None:
        await pause("assigned")
        end = self.world.read_end(self.changelog, self.term)
        await pause("end of the changelog read")
        if self.replayed:  # only what came since the last time is read into the store
            for batch in self.world.changelogs[self.changelog][self.replayed : end]:
                overlay(self.store, batch)
        else:
            self.store.update(self.parts.replay(self.world.changelogs[self.changelog][:end]))
        self.replayed = end
        await pause("recovered")
        partition = self.parts.partition.recover(self.stage, self.place[1], COUNTS, MemoryStore(self.store))
        start = self.parts.start(partition, self.world.commits.get(self.place, 0))
        self.partition, self.position, self.may_drop = partition, start, True
        self.world.say(f"{self.name}: starts at {start}")

    @property
    def name(self) -> str:
        """For the trace."""
        return f"{self.process.name} {told(self.place)}"

    @property
    def is_taking_up(self) -> bool:
        """Whether its state is being recovered right now."""
        return self.position is None

    def send_state(self, state: State) -> Sending:
        """Queue one batch for the changelog."""
        return self.process.producer.send(self.changelog, state, self.term, self.stage.name)

    def take_up_again(self) -> None:
        """Go through a rebalance with the partition kept: paused, emptied, recovered, sought."""
        if self.partition is None:
            return  # it is being taken up as it is
        self.position = None
        self.queue.clear()
        for task in self.tasks[1:]:
            task.close()
        self.tasks = [self.tasks[0], Task(self._take_up())]

    @property
    def is_behind(self) -> bool:
        """Whether there is something to fetch."""
        return self.position is not None and self.position < len(self.world.logs[self.place])

    def fetch(self) -> None:
        """Read some messages into the queue, or lose them on the way to it, as Faust does around a start."""
        log, chance = self.world.logs[self.place], self.world.chance
        assert self.position is not None
        end = min(len(log), self.position + chance.randint(1, 4))
        is_dropped = self.may_drop and chance.random() < DROPPED_FETCHES
        if not is_dropped:
            self.queue.extend(zip(range(self.position, end), log[self.position : end], strict=True))
        self.world.say(f"{self.name}: {'drops' if is_dropped else 'fetches'} {self.position}..{end - 1}")
        self.position, self.may_drop = end, False

    def redeliver(self) -> bool:
        """`BookRunner.redeliver`: read again what was fetched and never applied."""
        if self.partition is None or self.position is None:
            return False
        needed = self.partition.applied.offset + 1
        is_lost = self.waited_for == needed and self.position > needed
        if is_lost:
            self.position = needed
            self.world.say(f"{self.name}: reads {needed} again")
        is_new, self.waited_for = self.waited_for != needed, needed
        return is_lost or (is_new and self.position > needed)

    def _acknowledge(self, offset: int) -> None:
        is_ahead = self.world.chance.random() < COMMITS_AHEAD
        self.world.commits[self.place] = len(self.world.logs[self.place]) if is_ahead else offset + 1

    def close(self) -> None:
        """Stop where it stands."""
        for task in self.tasks:
            task.close()
        self.tasks = []


@dataclass(slots=True, eq=False)
class Process:
    """A worker: partitions of all stages, one producer, one life."""

    world: World
    parts: Parts
    name: str
    is_alive: bool = True
    is_paused: bool = False
    sleeps_long: bool = False
    """Paused until nobody else can go on."""
    producer: Producer = field(init=False)
    runners: dict[Place, Runner] = field(default_factory=dict)
    zombies: list[Runner] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.producer = self.parts.producer(self.world, self.name)

    def take(self, place: Place) -> None:
        """Become the owner of a partition; if it was here as a zombie, that ends."""
        for zombie in [zombie for zombie in self.zombies if zombie.place == place]:
            zombie.close()
            self.zombies.remove(zombie)
        self.runners[place] = Runner(self, place)

    def give(self, place: Place, *, is_kept: bool) -> None:
        """Lose a partition, and act on for a moment; or end its agent, to take it up anew."""
        runner = self.runners.pop(place)
        moment = LONG_MOMENT if self.is_paused else self.world.chance.choice((0, 0, 3, 12))
        runner.steps_left = 0 if is_kept else moment
        if runner.steps_left:
            self.zombies.append(runner)
        else:
            runner.close()

    def everyone(self) -> list[Runner]:
        """Owners and zombies."""
        return [*self.runners.values(), *self.zombies]

    def to_dead_letter(self) -> None:
        """End the zombies."""
        for zombie in self.zombies:
            zombie.close()
        self.zombies.clear()

    def die(self) -> None:
        """`kill -9`."""
        for runner in self.everyone():
            runner.close()
        self.runners, self.zombies = {}, []
        self.producer.die()
        self.is_alive = False
