"""`ibflow replay`: fold the books again, partition by partition, and compare with the rows that are stored.

First the stored rows are read, each partition of a target topic once: hash by origin. Then every
book partition is folded from its first message. A fold may be ahead of what is stored, while
everything runs: its rows count only as far as the stored ones reach, always in whole messages, and
what is beyond is told as `behind`. Nothing is compared with less than what the origin's newest
stored message says must be there, so rows lost at the end are found as well.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from commission.outputs import Statement
from infra.archive.clickhouse_log import ArchiveLog
from infra.archive.log import Log, LogAt, Row
from infra.replay.fold import PartitionFold, RowsHash, rows_of
from infra.replay.pool import Bar, Pool, no_bar, report
from infra.replay.strays import count_strays
from schemas import positions, topics
from schemas.errors import Unusable
from streams.partition import OffsetGapError
from streams.stages import CLIENTS, PARTNERS

STAGES = {CLIENTS.topic: CLIENTS, PARTNERS.topic: PARTNERS}
TARGETS = {CLIENTS.topic: topics.PARTNER_BOOK, PARTNERS.topic: topics.SETTLEMENTS}
"""Where the rows of each book go."""
FOLLOW_SECONDS = 2.0
"""How long a fold waits for messages that the stored rows say must come."""
LOOK_SECONDS = 0.25
REPORT_MESSAGES = 20

Until = Mapping[str, int]
"""`topic/partition` → the last offset to fold."""


class StoredHash(NamedTuple):
    """What a target partition holds of one origin."""

    hash: RowsHash
    reached: tuple[int, int] | None
    """Offset and part of the origin's newest message behind it; None where the archive cannot tell."""


class Fold(NamedTuple):
    """What folding one partition gave."""

    messages: int
    hashes: dict[str, RowsHash]
    """By target `topic/partition`."""
    behind: int
    note: str
    stands: str = ""
    """Where the partition waits for a decision."""
    repeated: int = 0
    """Records that said what was known already."""
    refused: int = 0
    """Records that the fold made dead letters of."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One partition: what its fold gives, what is stored."""

    partition: str
    messages: int
    rows: int
    hash: str
    stored_rows: int
    stored_hash: str
    behind: int
    """Rows the fold gives that had not reached the store when it was read."""
    note: str
    same: bool
    repeated: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Replay:
    """All partitions, and rows that no message brought."""

    partitions: tuple[Compared, ...]
    strays: int
    seconds: float = field(compare=False)
    hash: str
    stored_hash: str
    source: str

    @property
    def holds(self) -> bool:
        """Whether the same books gave the same ledger."""
        return not self.strays and all(partition.same for partition in self.partitions)

    @property
    def messages(self) -> int:
        """Messages folded."""
        return sum(partition.messages for partition in self.partitions)

    @property
    def repeated(self) -> int:
        """Records that said what was known already, in the same words: counted, and of no effect."""
        return sum(partition.repeated for partition in self.partitions)

    @property
    def refused(self) -> int:
        """Records that a fold turned down: each is a dead letter with its reason."""
        return sum(partition.refused for partition in self.partitions)

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {**asdict(self), "holds": self.holds, "messages": self.messages}


def parse_until(texts: list[str]) -> dict[str, int]:
    """Read `client-book/3/1200`: fold partition 3 up to and including offset 1200."""
    until: dict[str, int] = {}
    for text in texts:
        match text.split("/"):
            case [topic, partition, offset] if topic in STAGES and partition.isdigit() and offset.isdigit():
                until[f"{topic}/{int(partition)}"] = int(offset)
            case _:
                raise Unusable(
                    f"--until {text!r} is not read; write client-book/3/1200: book, partition, offset"
                )
    return until


def replay(
    where: LogAt,
    source: str,
    *,
    until: Until | None = None,
    workers: int | None = None,
    bar: Bar = no_bar,
) -> Replay:
    """Fold every partition of both books again and compare; `workers` 0 folds in this process."""
    started, until = time.monotonic(), until or {}
    with where.open() as log:
        counts = log.counts()
        _check_until(until, counts, log)
        ends = {
            f"{topic}/{number}": _end(log, topic, number, until)
            for topic in STAGES
            for number in range(counts.get(topic, 0))
        }
        bar(0, sum(ends.values()))
        with Pool(where, workers, len(ends)) as pool:
            wanted = [
                (topic, target, number, until)
                for topic, target in TARGETS.items()
                for number in range(counts.get(target, 0))
            ]
            stored: dict[str, dict[str, StoredHash]] = defaultdict(dict)
            notes: dict[str, list[str]] = defaultdict(list)
            for (book, target, number, _), (found, lost) in pool.each(_read_stored, wanted):
                for origin, one in found.items():
                    stored[origin][f"{target}/{number}"] = one
                if lost:
                    notes[f"{book}/{number}"].append(lost)
            tasks = [(place, counts, ends[place], stored[place], until.get(place)) for place in ends]
            folds = {task[0]: fold for task, fold in pool.each(_fold, tasks, bar)}
        strays = count_strays(log)
    compared = tuple(_compare(place, folds[place], stored[place], "; ".join(notes[place])) for place in ends)
    ours = _joined(one for fold in folds.values() for one in fold.hashes.values())
    theirs = _joined(kept.hash for place in ends for kept in stored[place].values())
    return Replay(compared, strays, time.monotonic() - started, ours.hex(), theirs.hex(), source)


def _check_until(until: Until, counts: Mapping[str, int], log: Log) -> None:
    for place in until:
        topic, _, number = place.rpartition("/")
        if int(number) >= counts.get(topic, 0):
            raise Unusable(f"--until {place}: {topic} has {counts.get(topic, 0)} partitions, from 0")
        if topic == PARTNERS.topic and isinstance(log, ArchiveLog):
            raise Unusable(
                f"--until {place}: the archive does not say which message a settlement came from; "
                "use --from-kafka, or --until client-book/…"
            )


def _end(log: Log, topic: str, number: int, until: Until) -> int:
    end = log.end(topic, number)
    last = until.get(f"{topic}/{number}")
    return end if last is None else min(end, last + 1)


# What is stored


def _read_stored(log: Log, task: tuple[str, str, int, Until]) -> tuple[dict[str, StoredHash], str]:
    """Hash a target partition's rows by their origin; and say so if its newest rows are gone."""
    book, target, number, until = task
    counts = log.counts()
    end = log.end(target, number)
    known: Mapping[str, positions.Position] = {}
    in_time: set[str] = set()
    if isinstance(log, ArchiveLog):
        known, in_time = log.reached(target, number), log.up_to(target, number, until)
    hashes: dict[str, RowsHash] = defaultdict(RowsHash)
    for source, rows in log.stored(target, number):
        for row in rows:
            if source:
                origin, position = positions.origin_of(source)
                is_late = position[0] > until.get(origin, position[0])
                if (is_late and _id(row) not in in_time) or position > known.get(origin, position):
                    continue
            else:
                origin = f"{book}/{topics.partition_of(row.ib_id, counts[book])}"
            hashes[origin].add(row)
    reached = known or log.reached(target, number)
    lost = ""
    if isinstance(log, ArchiveLog) and target == topics.SETTLEMENTS and log.newest(target, number) < end:
        lost = f"the rows of {target}/{number}/{end - 1} are missing"
    found = {
        origin: StoredHash(hashes[origin], _at_most(reached.get(origin), until.get(origin)))
        for origin in {*hashes, *(origin for origin in reached if origin.rpartition("/")[0] == book)}
    }
    return found, lost


def _id(row: Row) -> str:
    return row.statement_id if isinstance(row, Statement) else row.transfer_id


def _at_most(reached: tuple[int, int] | None, last: int | None) -> tuple[int, int] | None:
    if reached is None or last is None or reached[0] <= last:
        return reached
    return (last, 1 << 30)


# What the fold gives


def _fold(log: Log, task: tuple[str, Mapping[str, int], int, Mapping[str, StoredHash], int | None]) -> Fold:
    """Fold one partition, as far as it is there, and hash its rows as far as they are stored."""
    place, counts, end, stored, last = task
    topic, _, number = place.rpartition("/")
    fold = PartitionFold(STAGES[topic], int(number), counts, log.operations())
    tally = _Tally(stored)
    deadline, note = 0.0, ""
    try:
        while True:
            for message in log.messages(topic, int(number), tally.next):
                if last is not None and message.offset > last:
                    break
                tally.add(message.offset, fold.step(message))
                if tally.next % REPORT_MESSAGES == 0:
                    report(REPORT_MESSAGES)
            if last is not None or not tally.is_short():
                break
            deadline = deadline or time.monotonic() + FOLLOW_SECONDS
            if time.monotonic() > deadline:
                break
            time.sleep(LOOK_SECONDS)
    except OffsetGapError as error:
        note = str(error)
    if not note and tally.next < end:
        note = f"messages from {tally.next} to {end - 1} are missing"
    stands = "" if fold.stop is None else f"stopped at {fold.stop.offset}, see `ibflow book status`"
    repeated = fold.partition.applied.repeated
    return Fold(tally.next, tally.hashes, tally.behind, note, stands, repeated, tally.refused)


@dataclass(slots=True)
class _Tally:
    """Rows of a fold by target, as far as the stored ones reach."""

    stored: Mapping[str, StoredHash]
    next: int = 0
    behind: int = 0
    refused: int = 0
    hashes: dict[str, RowsHash] = field(default_factory=lambda: defaultdict(RowsHash))

    def add(self, offset: int, sent: Any) -> None:
        """Count what the message at `offset` sent."""
        self.next = offset + 1
        for message in sent:
            if message.topic == topics.DEAD_LETTERS:
                self.refused += len(message.value.splitlines())
            rows = rows_of(message)
            if not rows:
                continue
            target = f"{message.topic}/{message.partition}"
            if self._is_stored(target, positions.origin_of(message.source)[1]):
                for row in rows:
                    self.hashes[target].add(row)
            else:
                self.behind += len(rows)

    def _is_stored(self, target: str, position: tuple[int, int]) -> bool:
        known = self.stored.get(target)
        if known is None:
            return False
        if known.reached is not None:
            return position <= known.reached
        return self.hashes[target].rows < known.hash.rows

    def is_short(self) -> bool:
        """Whether stored rows lack their cause: the archive had not been written that far."""
        for target, known in self.stored.items():
            if known.reached is not None and known.reached[0] >= self.next:
                return True
            if self.hashes[target].rows < known.hash.rows:
                return True
        return False


def _compare(place: str, fold: Fold, stored: Mapping[str, StoredHash], lost: str) -> Compared:
    ours = _joined(fold.hashes.values())
    theirs = _joined(known.hash for known in stored.values())
    note = "; ".join(text for text in (fold.note, lost) if text)
    same = not note and ours == theirs
    if not same and not note:
        note = f"rows differ in {', '.join(_differing(fold, stored))}"
    note = "; ".join(text for text in (note, fold.stands) if text)
    return Compared(
        partition=place,
        messages=fold.messages,
        rows=ours.rows,
        hash=ours.hex(),
        stored_rows=theirs.rows,
        stored_hash=theirs.hex(),
        behind=fold.behind,
        note=note,
        same=same,
        repeated=fold.repeated,
        refused=fold.refused,
    )


def _joined(hashes: Iterable[RowsHash]) -> RowsHash:
    whole = RowsHash()
    for one in hashes:
        whole.join(one)
    return whole


def _differing(fold: Fold, stored: Mapping[str, StoredHash]) -> Iterator[str]:
    for target in sorted({*fold.hashes, *stored}):
        known = stored[target].hash if target in stored else RowsHash()
        if fold.hashes.get(target, RowsHash()) != known:
            yield target
