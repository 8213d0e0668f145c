"""The world outside the processes: logs, changelogs, and a network that answers when it likes.

Nothing runs by itself. A coroutine stops at every `Wait`, and the scheduler decides who goes on.
"""

import random
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas import topics
from streams.partition import Message

Place = tuple[str, int]
"""A topic (or changelog) and a partition."""
State = Mapping[bytes, bytes | None]

BOOK_PARTITIONS = 2
COUNTS = {topic.name: topic.partitions or BOOK_PARTITIONS for topic in topics.TOPICS}


class Finding(AssertionError):
    """The protocol broke a promise; the text says which."""


@dataclass(frozen=True, slots=True)
class Hazards:
    """What may happen around a rebalance only where a guard is missing; see the README of this folder."""

    late_state: bool = False
    """Nothing refuses an earlier owner's state after the next owner has read the changelog's end."""
    overlap: bool = False
    """A partition kept through a rebalance is recovered while its last message is still being applied."""


class Wait:
    """A point where a coroutine stops until the scheduler lets it go on."""

    __slots__ = ("is_over", "why")

    def __init__(self, why: str, is_over: Callable[[], bool]) -> None:
        self.why, self.is_over = why, is_over

    def __await__(self) -> Generator["Wait", None, None]:
        yield self
        while not self.is_over():
            yield self


def pause(why: str) -> Wait:
    """A point to crash at, or to be overtaken at."""
    return Wait(why, _at_once)


def _at_once() -> bool:
    return True


class Task:
    """A coroutine driven by hand."""

    __slots__ = ("coroutine", "wait")

    def __init__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self.coroutine: Coroutine[Any, Any, None] = coroutine
        self.wait: Wait | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it can go on."""
        return self.wait is None or self.wait.is_over()

    def step(self) -> bool:
        """Go on to the next wait; False at the end."""
        try:
            self.wait = self.coroutine.send(None)
        except StopIteration:
            return False
        return True

    def close(self) -> None:
        """Stop for good, as a process that is killed does."""
        self.coroutine.close()


@dataclass(slots=True, eq=False)
class Sending:
    """One record on its way to a log, from a producer that waits for the acknowledgement."""

    place: Place
    content: Message | State
    term: int = 0
    """For state: which ownership of the partition it was written under."""
    origin: str = ""
    """The stage that sent it, for the list of crash points."""
    is_landed: bool = False
    is_acknowledged: bool = False

    def acknowledgement(self) -> Wait:
        """Wait for it."""
        return Wait(f"acknowledgement of {self.kind}", lambda: self.is_acknowledged)

    @property
    def kind(self) -> str:
        """Output or state."""
        return "output" if isinstance(self.content, Message) else "state"

    def described(self) -> str:
        """What is sent, in short."""
        if isinstance(self.content, Message):
            return self.content.source or "input"
        position = next((value for key, value in self.content.items() if key.endswith(b"/@")), None)
        return f"state {(position or b'').decode()}"


@dataclass(slots=True)
class World:
    """All that survives a crash, and what is under way."""

    chance: random.Random
    hazards: Hazards = field(default_factory=Hazards)
    arrives: bool | None = None
    """Whether what is on the wire when a process dies still arrives; None leaves it to chance."""
    logs: dict[Place, list[Message]] = field(
        default_factory=lambda: {
            (name, number): [] for name, count in COUNTS.items() for number in range(count)
        }
    )
    changelogs: dict[Place, list[State]] = field(default_factory=lambda: defaultdict(list))
    ownerships: int = 0
    terms: dict[Place, int] = field(default_factory=lambda: defaultdict(int))
    """Changelog → the newest ownership that has read its end."""
    commits: dict[Place, int] = field(default_factory=dict)
    """The group's commits: a hint that may lag behind, or have passed unfinished messages."""
    late: list[Sending] = field(default_factory=list)
    """Sent by a process that is dead, and on the wire yet."""
    trace: list[str] | None = None

    def say(self, text: str) -> None:
        """Note what happened, for a replay."""
        if self.trace is not None:
            self.trace.append(f"{len(self.trace):5} {text}")

    def new_term(self) -> int:
        """Begin an ownership."""
        self.ownerships += 1
        return self.ownerships

    def read_end(self, changelog: Place, term: int) -> int:
        """The end of a changelog; what earlier owners send from now on comes too late."""
        self.terms[changelog] = max(self.terms[changelog], term)
        return len(self.changelogs[changelog])

    def land(self, sending: Sending) -> bool:
        """Append a record to its log, whole; False if it comes too late to be let in."""
        content = sending.content
        if isinstance(content, Message):
            self.logs[sending.place].append(content)
        elif sending.term < self.terms[sending.place] and not self.hazards.late_state:
            return False
        else:
            self.changelogs[sending.place].append(content)
        sending.is_landed = True
        return True


class Producer:
    """An idempotent producer: each record once, in order within a partition, one under way at a time."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.queues: dict[Place, deque[Sending]] = {}

    def send(self, place: Place, content: Message | State, term: int = 0, origin: str = "") -> Sending:
        """Queue a record; it lands and is acknowledged when the network likes."""
        sending = Sending(place, content, term, origin)
        self.queues.setdefault(place, deque()).append(sending)
        return sending

    def step(self, place: Place) -> None:
        """Let the network do the next thing for one partition: append the record, or acknowledge it."""
        queue = self.queues[place]
        head = queue[0]
        if head.is_landed:
            head.is_acknowledged = True
            queue.popleft()
            self.world.say(f"{self.name}: {told(place)} acknowledged")
        elif self.world.land(head):
            self.world.say(f"{self.name}: {told(place)} appended {head.described()}")
        else:
            queue.popleft()
            self.world.say(f"{self.name}: {told(place)} refused a late {head.described()}")
        if not queue:
            del self.queues[place]

    def die(self) -> None:
        """Lose what is queued; what is on the wire may still arrive, at once or later."""
        for queue in self.queues.values():
            head, arrives = queue[0], self.world.arrives
            if head.is_landed or not (self.world.chance.random() < 0.5 if arrives is None else arrives):
                continue
            if head.kind == "state" and self.world.hazards.late_state:
                self.world.late.append(head)
            elif self.world.land(head):
                self.world.say(
                    f"{self.name}: {told(head.place)} appended {head.described()}, and it was dead"
                )
        self.queues = {}


def told(place: Place) -> str:
    """`client-book/1`."""
    return f"{place[0]}/{place[1]}"
