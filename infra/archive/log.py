"""What every reader of the books gives: their messages, in order, and the ledger rows they brought.

Where a log is (`LogAt`) is a small value that a worker process can be handed, because neither a chDB folder
nor a Kafka client survives a fork; `open` gives the connection.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from commission.outputs import Statement, Transfer
from schemas import positions
from schemas.stops import Operations
from schemas.wire import decode_batch

BLOCK_MESSAGES = 100
"""Messages read at once; one has at most a megabyte, nearly all are far smaller."""
SILENT_SECONDS = 60.0
"""A reader that hears nothing for so long gives up."""
Row = Transfer | Statement
ROW_RECORDS = (Transfer, Statement)


class Logged(NamedTuple):
    """One message of a book: where it stands, the position behind it, and its lines."""

    offset: int
    source: str
    value: bytes


class Stored(NamedTuple):
    """Ledger rows that one message of a target topic holds, and what is known of where they came from.

    `source` tells the book's messages behind it; empty where the archive does not keep it, as for
    settlements.
    """

    source: str
    rows: list[Row]


class Log(Protocol):
    """What replay and what-if read."""

    def counts(self) -> dict[str, int]:
        """Partitions of each topic."""

    def end(self, topic: str, partition: int) -> int:
        """The offset after the last one that must be there."""

    def messages(self, topic: str, partition: int, start: int = 0) -> Iterator[Logged]:
        """The messages of a partition from `start` on, in order, to where it ends now."""

    def stored(self, topic: str, partition: int) -> Iterator[Stored]:
        """The ledger rows that `partner-book` or `settlements` brought, in no particular order."""

    def reached(self, topic: str, partition: int) -> dict[str, tuple[int, int]]:
        """Origin `topic/partition` → offset and part of its newest message that is stored; {}: unknown."""

    def strays(self, _age_ms: int = 0, /) -> int:
        """Stored rows, at least so old, that no message brought."""

    def operations(self) -> Operations:
        """What is stopped, and what a person decided to leave out."""


class LogAt(Protocol):
    """Where a log is: a plain value that a worker process can be handed."""

    def open(self) -> Any:
        """A context manager that gives the `Log`."""


def ledger_rows(messages: Iterator[Logged]) -> Iterator[Stored]:
    """The ledger rows of messages; one sent again after a crash counts once, as for every receiver."""
    seen: dict[str, tuple[int, int]] = {}
    for message in messages:
        if not message.source:
            continue
        for source, value in positions.split(message.source, message.value):
            origin, position = positions.origin_of(source)
            if position <= seen.get(origin, positions.NOWHERE):
                continue
            seen[origin] = position
            yield Stored(source, [one for one in decode_batch(value) if isinstance(one, ROW_RECORDS)])
