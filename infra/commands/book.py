"""`ibflow book`: how far each partition is, which are stopped and why, and what a person decides."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import Consumer, KafkaException
from confluent_kafka.admin import AdminClient
from rich.markup import escape
from rich.table import Table

from infra.processes.progress import STAGE_TOPICS
from infra.terminal import new_table
from schemas.errors import Unavailable, Unusable
from schemas.kafka import client_config
from schemas.stops import (
    MAX_NAME_CHARS,
    MAX_REASON_CHARS,
    Action,
    BookCommand,
    Operations,
    PartitionStopped,
    Place,
)
from streams.broker import commits, log_ends
from streams.stop_log import OperationsLog, append

ASK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class PartitionStatus:
    """One partition of a book: the offset it needs next, where its log ends, and what it stopped at."""

    topic: str
    partition: int
    next_offset: int
    end: int
    stop: PartitionStopped | None = None
    skippable: bool = False

    @property
    def behind(self) -> int:
        """Messages written and not applied."""
        return max(self.end - self.next_offset, 0)

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        found = {**asdict(self), "behind": self.behind}
        if self.stop is not None:
            found["stop"] = {**found["stop"], "at": self.stop.at.isoformat()}
        return found


def status(kafka: str) -> list[PartitionStatus]:
    """Every partition of the books, from the logs' ends, the workers' commits and the operations."""
    operations = _operations(kafka)
    ends, applied = _ends_and_commits(kafka)
    found = []
    for place, end in sorted(ends.items()):
        stop = operations.stops.get(place)
        skippable = stop is not None and operations.is_skippable(stop)
        found.append(PartitionStatus(*place, applied[place], end, stop, skippable))
    return found


def decide(kafka: str, action: Action, place: str, offset: int, by: str, reason: str) -> BookCommand:
    """Write down a decision about a stopped message; raise `Unusable` if it would have no effect."""
    topic, partition = _place(place)
    for name, text, limit in (("--by", by, MAX_NAME_CHARS), ("--reason", reason, MAX_REASON_CHARS)):
        if not 0 < len(text.strip()) <= limit:
            raise Unusable(f"{name} is the audit of this decision: give 1 to {limit} characters")
    command = BookCommand(
        action=action,
        topic=topic,
        partition=partition,
        offset=offset,
        by=by.strip(),
        reason=reason.strip(),
        at=datetime.now(UTC),
    )
    operations = _operations(kafka)
    if (refusal := operations.refusal(command)) is not None:
        raise Unusable(f"{refusal}; {_standing(operations)}")
    append(kafka, command)
    return command


def status_table(partitions: list[PartitionStatus]) -> Table:
    """For people."""
    table = new_table()
    for name in ("partition", "next offset", "end", "behind"):
        table.add_column(name, justify="left" if name == "partition" else "right")
    table.add_column("state")
    for part in partitions:
        state = "[green]not stopped[/]" if part.stop is None else f"[red]stopped at {part.stop.offset}[/]"
        figures = (str(figure) for figure in (part.next_offset, part.end, part.behind))
        table.add_row(f"{part.topic}/{part.partition}", *figures, state)
    return table


def stop_lines(partitions: list[PartitionStatus]) -> list[str]:
    """Why each stopped partition stopped, and what can be done."""
    lines = []
    for part in partitions:
        if part.stop is None:
            continue
        place = f"{part.topic}/{part.partition} {part.stop.offset}"
        since = part.stop.at.strftime("%Y-%m-%d %H:%M:%S UTC")
        lines.append(f"[red]{place}[/] since {since}, {escape(part.stop.worker)}: {escape(part.stop.error)}")
        lines.append(f"  remove the cause, then: ibflow book retry {place} --by NAME --reason WHY")
        if part.skippable:
            lines.append(f"  or leave it out:        ibflow book skip {place} --by NAME --reason WHY")
    return lines


def _standing(operations: Operations) -> str:
    stops = [
        f"{topic}/{number} at {stop.offset}" for (topic, number), stop in sorted(operations.stops.items())
    ]
    return f"stopped: {', '.join(stops)}" if stops else "nothing is stopped"


def _place(text: str) -> Place:
    topic, _, number = text.rpartition("/")
    if topic not in STAGE_TOPICS or not (number.isascii() and number.isdigit()):
        raise Unusable(
            f"{text} is not a partition of a book; write it like client-book/3, of {', '.join(STAGE_TOPICS)}"
        )
    return topic, int(number)


@contextmanager
def _asked() -> Iterator[None]:
    try:
        yield
    except (KafkaException, RuntimeError) as error:
        raise Unavailable(f"Kafka does not say how far the books are: {error}") from None


def _operations(kafka: str) -> Operations:
    log = OperationsLog(kafka)
    try:
        return log.read()
    finally:
        log.close()


def _ends_and_commits(kafka: str) -> tuple[Mapping[Place, int], Mapping[Place, int]]:
    consumer = Consumer({**client_config(kafka), "group.id": "ibflow"})
    try:
        with _asked():
            metadata = consumer.list_topics(timeout=ASK_SECONDS)
            places = [(topic, n) for topic in STAGE_TOPICS for n in metadata.topics[topic].partitions]
            committed = commits(consumer, places)
            ends = log_ends(AdminClient({**client_config(kafka), "log_level": 4}), places)
    finally:
        consumer.close()
    return ends, committed
