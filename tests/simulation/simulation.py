"""One seed: who runs next, what crashes when, and whether the promises held once everything is at rest."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import count
from types import SimpleNamespace
from typing import Any
from unittest import mock

from schemas.wire import batches, decode_batch
from streams.partition import Message, OffsetGapError
from tests.simulation import scenario
from tests.simulation.database import Consumer, Database, Killed, Lost
from tests.simulation.process import PLACES, Parts, Process, Runner
from tests.simulation.world import Finding, Hazards, Place, Producer, Sending, Task, Wait, World, pause, told

WORKERS = 2
MAX_STEPS = 8_000
MAX_DISTURBANCES = 16
"""At most so many in one seed, so that it comes to an end."""
DISTURBED = 0.03
"""The chance of one at each step."""

PART_RECORDS = 3
"""Outputs of a message above this go in several parts; 2,000 in the product."""
PAUSED = 0.4
"""How often a rebalance comes from a worker that is stopped (SIGSTOP, a frozen machine, a cut cable)."""
CLOCK_SECONDS = 0.1
"""Go by whenever the sink looks at the clock: some of its batches are stored whole, some with the next."""
TRIES = 6
"""Moves tried by chance before all are looked at."""

Move = tuple[Callable[..., None], tuple[Any, ...]]


@dataclass(slots=True)
class Simulation:
    """Everything of one seed."""

    seed: int
    parts: Parts = field(default_factory=Parts)
    hazards: Hazards = field(default_factory=Hazards)
    is_calm: bool = False
    """Without disturbances by chance."""
    crash_at: int | None = None
    """Kill the worker that is about to take this step of the workers."""
    arrives: bool | None = None
    """What becomes of what is on the wire at a crash; None leaves it to chance."""
    story_number: int | None = None
    """Which broker; None leaves it to the seed."""
    is_traced: bool = False

    world: World = field(init=False)
    database: Database = field(init=False)
    story: scenario.Story = field(init=False)
    processes: list[Process] = field(init=False)
    owners: dict[Place, int] = field(init=False)
    """Which process a partition is assigned to, be it dead or alive."""
    ingester: "Ingester" = field(init=False)
    sink: Any = None
    points: list[str] = field(default_factory=list)
    """What was about to happen at each step of a worker."""
    happened: dict[str, int] = field(default_factory=dict)
    """Disturbance → how often."""
    _left: int = field(init=False)

    def __post_init__(self) -> None:
        chance = random.Random(self.seed)
        self.world = World(chance, self.hazards, self.arrives, trace=[] if self.is_traced else None)
        self._left = 0 if self.is_calm else chance.randint(0, MAX_DISTURBANCES)
        self.database = Database(self._fail)
        self.story = scenario.story(
            self.seed % scenario.STORIES if self.story_number is None else self.story_number
        )
        self.processes = [Process(self.world, self.parts, f"worker-{n}") for n in range(WORKERS)]
        self.owners = {place: chance.randrange(WORKERS) for place in PLACES}
        for place, number in self.owners.items():
            self.processes[number].take(place)
        self.ingester = Ingester(self)

    def run(self) -> None:
        """Let everybody act until nobody can; raise `Finding` if a promise is broken on the way."""
        for _ in range(MAX_STEPS):
            if self._left and self.world.chance.random() < DISTURBED:
                self._disturb()
            if move := self._some_move():
                act, arguments = move
                act(*arguments)
            elif not self._wake():
                return
        raise Finding(f"after {MAX_STEPS:,} steps the world does not come to rest: {self.happened}")

    def close(self) -> None:
        """End every coroutine."""
        for process in self.processes:
            for runner in process.everyone():
                runner.close()
        self.ingester.task.close()

    # Who can go on

    def _some_move(self) -> Move | None:
        """One of the moves, by trying a few; all are looked at only if those few cannot be made."""
        random_ = self.world.chance.random
        for _ in range(TRIES):
            what, process = random_(), self.processes[int(random_() * WORKERS)]
            if process.is_paused:
                continue
            if what < 0.5 and process.runners:
                runners = process.everyone() if process.zombies else [*process.runners.values()]
                runner = runners[int(random_() * len(runners))]
                if what < 0.1 and runner.is_behind:
                    return self._fetch, (process, runner)
                task = runner.tasks[-1]
                if task.is_ready:
                    return self._act, (process, runner, task)
            elif what < 0.95:
                if queues := process.producer.queues:
                    return self._network, (process, [*queues][int(random_() * len(queues))])
            elif self._is_sink_behind():
                return self._sink_acts, ()
        moves = self._moves()
        return moves[int(random_() * len(moves))] if moves else None

    def _moves(self) -> list[Move]:
        moves: list[Move] = []
        for process in self.processes:
            if not process.is_alive:
                moves.append((self._restart, (process,)))
                continue
            if process.is_paused:
                if not process.sleeps_long:
                    moves.append((self._wake_up, (process,)))
                continue
            for runner in process.everyone():
                moves += [(self._act, (process, runner, task)) for task in runner.tasks if task.is_ready]
                if runner.is_behind:
                    moves.append((self._fetch, (process, runner)))
            moves += [(self._network, (process, place)) for place in process.producer.queues]
        moves += [(self._arrive, (sending,)) for sending in self.world.late]
        if self.ingester.task.is_ready:
            moves.append((self.ingester.act, ()))
        moves += [(self.ingester.producer.step, (place,)) for place in self.ingester.producer.queues]
        if self._is_sink_behind():
            moves.append((self._sink_acts, ()))
        return moves

    def _is_about_to(self, process: Process, what: str) -> bool:
        """Whether the worker lives to do it."""
        self.points.append(what)
        if self.crash_at != len(self.points) - 1:
            return True
        self._crash(process)
        return False

    def _act(self, process: Process, runner: Runner, task: Task) -> None:
        why = task.wait.why if task.wait is not None else "begins"
        if not self._is_about_to(process, f"{runner.stage.name}: {why}"):
            return
        try:
            is_running = task.step()
        except OffsetGapError as hole:
            self._note(f"{hole}", "hole")
            self._die(process)
        except Finding:
            raise
        except Exception as error:
            raise Finding(f"{runner.name} stops: {error!r}") from error
        else:
            if not is_running:
                runner.tasks.remove(task)
            self._tire(process, runner)

    def _tire(self, process: Process, runner: Runner) -> None:
        if runner.steps_left is not None:
            runner.steps_left -= 1
            if runner.steps_left <= 0:
                runner.close()
                process.zombies.remove(runner)

    def _fetch(self, process: Process, runner: Runner) -> None:
        if self._is_about_to(process, f"{runner.stage.name}: fetch"):
            runner.fetch()

    def _network(self, process: Process, place: Place) -> None:
        head = process.producer.queues[place][0]
        what = "acknowledgement" if head.is_landed else "append"
        if self._is_about_to(process, f"{head.origin}: {what} of {head.kind}"):
            process.producer.step(place)

    def _arrive(self, sending: Sending) -> None:
        self.world.late.remove(sending)
        if self.world.land(sending):
            self.world.say(f"late: {told(sending.place)} appended {sending.described()}")

    # What goes wrong

    def _disturb(self) -> None:
        self._left -= 1
        alive = [process for process in self.processes if process.is_alive and not process.is_paused]
        chance = self.world.chance
        kind = chance.choice(("crash", "crash", "crash", "rebalance", "rebalance", "ingester", "timer"))
        if self.hazards.overlap:
            kind = "rebalance"  # it needs one at the right moment
        if kind == "crash" and alive:
            self._crash(chance.choice(alive))
        elif kind == "rebalance" and alive:
            if len(alive) > 1 and not self.hazards.overlap and chance.random() < PAUSED:
                stopped = alive.pop()
                stopped.is_paused, stopped.sleeps_long = True, chance.random() < 0.5
                self._note(f"{stopped.name} is stopped", "pause")
            self._rebalance(alive)
        elif kind == "ingester" and self.ingester.lives > 0:
            self._note("the ingester is killed, and publishes everything again", "ingester")
            self.ingester.die()
        elif kind == "timer":
            self._redeliver()

    def _note(self, text: str, kind: str) -> None:
        self.happened[kind] = self.happened.get(kind, 0) + 1
        self.world.say(f"*** {text}")

    def _crash(self, process: Process) -> None:
        self._note(f"{process.name} is killed", "crash")
        self._die(process)

    def _die(self, process: Process) -> None:
        process.die()

    def _restart(self, process: Process) -> None:
        self.world.say(f"*** {process.name} starts")
        number = self.processes.index(process)
        fresh = Process(self.world, self.parts, process.name)
        self.processes[number] = fresh
        for place, owner in self.owners.items():
            if owner == number:
                fresh.take(place)

    def _wake_up(self, process: Process) -> None:
        self.world.say(f"*** {process.name} wakes up")
        process.is_paused = False

    def _rebalance(self, alive: list[Process]) -> None:
        self._note("rebalance", "rebalance")
        for place, number in self.owners.items():
            owner = self.processes[number]
            stays = owner in alive and (self.hazards.overlap or self.world.chance.random() < 0.5)
            new = owner if stays else self.world.chance.choice(alive)
            if new is owner and self.hazards.overlap:
                owner.runners[place].take_up_again()
                continue
            if owner.is_alive:
                owner.give(place, is_kept=new is owner)
            new.take(place)
            self.owners[place] = self.processes.index(new)

    def _wake(self) -> bool:
        """Nobody can go on: sleepers wake up, zombies notice, timers run; whether that helps."""
        sleepers = [process for process in self.processes if process.is_paused]
        for process in sleepers:
            self._wake_up(process)
        if sleepers:
            return True
        zombies = sum(len(process.zombies) for process in self.processes)
        for process in self.processes:
            process.to_dead_letter()
        return bool(zombies) or self._redeliver()

    def _redeliver(self) -> bool:
        """The worker's timer; whether it may have set anything going."""
        if not self.parts.redelivers:
            return False
        runners = [runner for process in self.processes for runner in process.runners.values()]
        return sum(runner.redeliver() for runner in runners) > 0  # each of them, not only up to the first

    # The sink

    def _is_sink_behind(self) -> bool:
        if self.sink is None:
            return True
        positions = self.sink.positions()
        return any(len(log) > positions.get(place, 0) for place, log in self.world.logs.items())

    def _sink_acts(self) -> None:
        try:
            if self.sink is None:
                self.sink = self.parts.sink(self.database, "")  # type: ignore[arg-type] # stands in for it
                self.sink.assign()
            else:
                self.sink.store_once()
        except Lost:
            self._note("the database does not answer the sink", "sink failure")
            self.sink.assign()  # as `Sink.run` does
        except Killed:
            self._note("the sink is killed", "sink crash")
            self.sink = None

    def _fail(self, where: str) -> None:
        if self._left and (throw := self.world.chance.random()) < DISTURBED:
            self._left -= 1
            raise Lost(where) if throw < DISTURBED / 2 else Killed(where)

    @property
    def is_applied(self) -> bool:
        """Whether every partition has applied all of its log, and nothing is under way to any."""
        for place, number in self.owners.items():
            runner = self.processes[number].runners.get(place)
            if runner is None or runner.partition is None:
                return False
            if runner.partition.applied.offset + 1 != len(self.world.logs[place]):
                return False
        busy = any(process.producer.queues or process.zombies for process in self.processes)
        return not busy and not self.ingester.producer.queues and not self.world.late


class Ingester:
    """Publishes the story; killed, it begins again from the first line, split in another way."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation, self.lives, self.is_done = simulation, 2, False
        self.is_drained = False
        """Whether the month's end is next: nothing before it is published again then, it would be late."""
        self._begin()

    def _begin(self) -> None:
        self.producer = Producer(self.simulation.world, "ingester")
        self.task = Task(self._publish())

    def act(self) -> None:
        """Go on."""
        if not self.task.step():
            self.task, self.is_done, self.lives = Task(_nothing()), True, 0

    def die(self) -> None:
        """Be killed, and start again."""
        self.lives -= 1
        self.task.close()
        self.producer.die()
        self._begin()

    async def _publish(self) -> None:
        story = self.simulation.story
        if not self.is_drained:
            await self._send(story.lines)
            await Wait("everything is applied", lambda: self.simulation.is_applied)
            self.is_drained = True
        await self._send(story.end)
        await Wait("the month is closed", lambda: self.simulation.is_applied)
        await self._send(story.payouts)

    async def _send(self, lines: tuple[tuple[Place, bytes], ...]) -> None:
        sent = []
        for place, value in scenario.split(lines, self.simulation.world.chance):
            sent.append(self.producer.send(place, Message(*place, value)))
            await pause("published")
        for sending in sent:
            await sending.acknowledgement()


async def _nothing() -> None:
    await Wait("nothing", lambda: False)


remembered = lru_cache(maxsize=4_096)(decode_batch)
"""Reading the same bytes gives the same records; the stage, the sink and the checks read every message."""


@contextmanager
def in_memory(world: World) -> Iterator[None]:
    """Give the sink a consumer over the world's logs."""
    with (
        mock.patch.multiple(
            "streams.sink",
            Consumer=lambda _: Consumer(world),
            AdminClient=_no_admin,
            time=SimpleNamespace(monotonic=count(step=CLOCK_SECONDS).__next__),
        ),
        mock.patch("schemas.wire.decode_batch", remembered),
        mock.patch("streams.table_rows.decode_batch", remembered),
        mock.patch("streams.partition.decode_batch", remembered),
        mock.patch("streams.partition.batches", partial(batches, max_records=PART_RECORDS)),
    ):
        yield


def _no_admin(_config: object) -> None:
    """The sink asks for log ends by it, which nobody here does."""
