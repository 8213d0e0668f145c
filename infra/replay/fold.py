"""Fold one partition of a stage again, over messages from anywhere, and hash the ledger rows it gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256, shake_256
from operator import attrgetter
from typing import Any

from commission.money import plain
from commission.outputs import Statement, Transfer
from infra.archive.log import ROW_RECORDS, Logged, Row
from schemas import topics
from schemas.columns import TRANSFER_COLUMNS
from schemas.stops import Operations, PartitionStopped
from schemas.wire import decode_batch
from streams.partition import Message, Partition
from streams.stages import Stage
from streams.store import MemoryStore

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""When dead letters of a fold that is only repeated were received: nobody reads them."""
ROW_TOPICS = (topics.PARTNER_BOOK, topics.SETTLEMENTS)
"""Where the ledger's rows go."""

HASH_BYTES = 256
_MODULUS = 1 << (8 * HASH_BYTES)

TRANSFER_FACTS = tuple(
    name for name in TRANSFER_COLUMNS if name not in ("revision", "depth", "path", "lots", "factors")
)
"""What moved, from where to where, when and why. Factors, path and lots only tell it; a later version
may tell better."""
STATEMENT_FACTS = (
    "statement_id",
    "ib_id",
    "period",
    "starts_at",
    "ends_at",
    "currency",
    "opening",
    "accrued",
    "reversed",
    "payable",
    "rounding",
    "closing",
    "held",
)
_FACTS = {Transfer: attrgetter(*TRANSFER_FACTS), Statement: attrgetter(*STATEMENT_FACTS)}


@dataclass(slots=True)
class RowsHash:
    """Hashes ledger rows one by one, whatever their order, in constant memory.

    The sum of each row's 2,048-bit digest: sums of parts add up to that of the whole, and at this
    width nobody finds other rows with the same sum.
    """

    rows: int = 0
    total: int = 0

    def add(self, row: Row) -> None:
        """Take in one more row."""
        facts = "\x1f".join(_text(value) for value in _FACTS[type(row)](row))
        digest = shake_256(f"{row.type}\x1f{facts}".encode()).digest(HASH_BYTES)
        self.total = (self.total + int.from_bytes(digest)) % _MODULUS
        self.rows += 1

    def join(self, other: "RowsHash") -> None:
        """Take in all rows of another."""
        self.total = (self.total + other.total) % _MODULUS
        self.rows += other.rows

    def hex(self) -> str:
        """64 characters that two sides can be compared by."""
        return sha256(self.rows.to_bytes(8) + self.total.to_bytes(HASH_BYTES)).hexdigest()


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case Decimal():
            return plain(value)
        case datetime():
            return value.astimezone(UTC).isoformat()
        case _:
            return str(value)


@dataclass(slots=True)
class PartitionFold:
    """A partition of a stage on its way through its own log, from nothing."""

    stage: Stage
    number: int
    counts: Mapping[str, int]
    operations: Operations = field(default_factory=Operations)
    """Messages that a person left out, and where the partition stands."""
    partition: Partition = field(init=False)

    def __post_init__(self) -> None:
        place = self.stage.topic, self.number
        skips = self.operations.skips[place]
        self.partition = Partition(
            self.stage, self.number, self.counts, MemoryStore(), skips=skips, checks_all=True
        )

    @property
    def stop(self) -> PartitionStopped | None:
        """Where the partition waits for a decision, if it does."""
        return self.operations.stops.get((self.stage.topic, self.number))

    def step(self, message: Logged) -> tuple[Message, ...]:
        """Fold the next message; what it sends. Raise `OffsetGapError` if one is missing before it."""
        if self.stop is not None and message.offset >= self.stop.offset:
            return ()  # the books go no further, and wait for a decision
        step = self.partition.step(message.offset, message.value, message.source, EPOCH)
        if step is None:
            return ()  # the reader began again before where it had come
        self.partition.commit(step)
        return step.messages


def rows_of(message: Message) -> list[Row]:
    """The transfers and statements a message holds; none unless it goes to the ledger."""
    if message.topic not in ROW_TOPICS:
        return []
    return [record for record in decode_batch(message.value) if isinstance(record, ROW_RECORDS)]
