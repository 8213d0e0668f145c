"""What must hold once everything is at rest, by an undisturbed fold of the same logs."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any
from unittest import mock

from commission.ledger import ledger_hash
from commission.outputs import Milestone, Transfer
from commission.postbacks.records import Delivery
from schemas import topics
from schemas.positions import NOWHERE, origin_of, split
from schemas.wire import decode_batch
from streams.in_memory import EPOCH
from streams.partition import Message, Partition
from streams.store import MemoryStore
from tests.simulation import scenario
from tests.simulation.database import rows_of
from tests.simulation.process import PLACES
from tests.simulation.simulation import Simulation, in_memory
from tests.simulation.world import COUNTS, Finding, Place, told

Logs = dict[Place, list[Message]]
SHOWN_CHARS = 400


def simulate(seed: int, **options: Any) -> Simulation:
    """Run one seed and check it; raise `Finding`, with the seed."""
    simulation = Simulation(seed, **options)
    try:
        complete(simulation)
    except Finding as finding:
        raise Finding(f"seed {seed}: {finding}") from finding.__cause__
    return simulation


def complete(simulation: Simulation) -> None:
    """Run it to its end and check it."""
    try:
        with in_memory(simulation.world), ExitStack() as planted:
            for name, function in simulation.parts.fold.items():
                planted.enter_context(mock.patch(name, function))
            simulation.run()
            check(simulation)
    finally:
        simulation.close()


def check(simulation: Simulation) -> None:
    """Raise `Finding` for the first promise that was broken."""
    logs = simulation.world.logs
    if not simulation.ingester.is_done:
        raise Finding("at rest, and the ingester is not done: something is not acknowledged, or not applied")
    new = {place: without_repeats(place, log) for place, log in logs.items()}
    check_folds(simulation, new)
    check_database(simulation)
    check_ledger(simulation, new)


def without_repeats(place: Place, log: Sequence[Message]) -> list[Message]:
    """A log without what its receiver skips, cause by cause; what is skipped must repeat earlier bytes."""
    newest: dict[str, tuple[int, int]] = {}
    first: dict[str, bytes] = {}
    kept: list[Message] = []
    for offset, message in enumerate(log):
        if not message.source:
            kept.append(message)
            continue
        for source, value in split(message.source, message.value):
            origin, position = origin_of(source)
            if position > newest.get(origin, NOWHERE):
                newest[origin], first[source] = position, value
                kept.append(Message(message.topic, message.partition, value, source))
            elif first.get(source) != value:
                raise Finding(f"{told(place)}: {source} at {offset} is skipped, and it is no repeat")
    return kept


def check_folds(simulation: Simulation, new: Logs) -> None:
    """State and outputs of every partition are those of a fold that nothing disturbed."""
    sent: dict[tuple[Place, str], list[Message]] = defaultdict(list)
    for place, messages in new.items():
        for message in messages:
            if message.source:
                sent[place, message.source.rsplit("/", 2)[0]].append(message)
    for place in PLACES:
        expected, fold = fold_of(place, simulation.world.logs[place])
        check_state(simulation, place, fold)
        for target in new:
            got, due = sent[target, told(place)], expected.get(target, [])
            if got != due:
                content = ", of other content" if sources(got) == sources(due) else ""
                raise Finding(
                    f"{told(place)} → {told(target)}: sent {sources(got)}, and {sources(due)} is due{content}"
                )


def check_state(simulation: Simulation, place: Place, fold: Partition) -> None:
    """All is applied, and the changelog and the worker's store hold what the fold does."""
    runner = simulation.processes[simulation.owners[place]].runners[place]
    length = len(simulation.world.logs[place])
    if runner.partition is None or runner.partition.applied.offset + 1 != length:
        raise Finding(f"{told(place)}: at rest, and not all of {length} messages are applied")
    durable = simulation.parts.replay(simulation.world.changelogs[runner.changelog])
    for name, found in (("durable", durable), ("visible", runner.store)):
        assert isinstance(fold.store, MemoryStore)
        if found != fold.store.values:
            raise Finding(f"{told(place)}: its {name} state {difference(found, fold.store.values)}")


def fold_of(place: Place, log: Sequence[Message]) -> tuple[Logs, Partition]:
    """The undisturbed fold of one log by the real partition."""
    fold = Partition.recover(PLACES[place], place[1], COUNTS, MemoryStore())
    expected: Logs = defaultdict(list)
    for offset, message in enumerate(log):
        step = fold.step(offset, message.value, message.source, EPOCH)
        assert step is not None, "a fresh offset is always applied"
        fold.commit(step)
        for output in step.messages:
            expected[output.topic, output.partition].append(output)
    return expected, fold


def check_database(simulation: Simulation) -> None:
    """The tables hold what the topics say, row by row, and each day of theirs has a mark."""
    stored, expected = simulation.database.tables, rows_of(simulation.world.logs)
    if unmarked := expected.pop("day_marks", {}).keys() - stored["day_marks"].keys():
        raise Finding(f"days without a mark: {sorted(unmarked)}")
    for table, rows in expected.items():
        if stored[table] != rows:
            missing, more = rows.keys() - stored[table].keys(), stored[table].keys() - rows.keys()
            raise Finding(
                f"table {table}: {len(missing)} rows of the topics are missing, {len(more)} are more"
            )


def check_ledger(simulation: Simulation, new: Logs) -> None:
    """Ids are unique, and the ledger is that of the pipeline in memory where every fact is told once."""
    rows = [
        record
        for (topic, _), log in new.items()
        if topic in {topics.PARTNER_BOOK, topics.SETTLEMENTS, topics.MILESTONES, topics.DELIVERIES}
        for message in log
        for record in decode_batch(message.value)
    ]
    transfers = [row for row in rows if isinstance(row, Transfer)]
    once("transfer", [row.transfer_id for row in transfers])
    if ledger_hash(transfers) != simulation.story.ledger:
        raise Finding("the ledger is not the one of the undisturbed pipeline")
    milestones = [row for row in rows if isinstance(row, Milestone)]
    once("milestone", [row.milestone_id for row in milestones])
    once("delivery", [row.delivery_id for row in rows if isinstance(row, Delivery)])
    if scenario.of_facts(milestones) != simulation.story.milestones:
        raise Finding("the milestones of deposits and clients are not those of the undisturbed pipeline")


def once(what: str, ids: Sequence[str]) -> None:
    """No two effects have one id."""
    repeated = [name for name, count in Counter(ids).items() if count > 1]
    if repeated:
        raise Finding(f"{what} {repeated[0]} is told twice")


def sources(messages: Sequence[Message]) -> list[str]:
    """Offset and part of each."""
    return ["/".join(message.source.split("/")[-2:]) for message in messages]


def difference(found: dict[bytes, bytes], expected: dict[bytes, bytes]) -> str:
    """The first key in which two states differ."""
    keys = sorted(found.keys() | expected.keys())
    key = next(key for key in keys if found.get(key) != expected.get(key))
    has, due = (f"{state.get(key)!r}"[:SHOWN_CHARS] for state in (found, expected))
    return f"has {key.decode()} = {has}, and {due} is due"
