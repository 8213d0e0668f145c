"""An archive in memory, for previews and tests."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from infra.archive.log import Logged, Stored, ledger_rows
from schemas import positions, topics
from schemas.stops import Operations, decode_operation


@dataclass(frozen=True, slots=True)
class MemoryLog:
    """A log in lists, for tests: topic → partition → messages."""

    topics: Mapping[str, list[list[Logged]]]

    @contextmanager
    def open(self) -> "Iterator[MemoryLog]":
        """Itself: there is nothing to connect to."""
        yield self

    def counts(self) -> dict[str, int]:
        """Partitions of each topic."""
        return {topic: len(partitions) for topic, partitions in self.topics.items()}

    def end(self, topic: str, partition: int) -> int:
        """The offset after the last message."""
        messages = self.topics[topic][partition]
        return messages[-1].offset + 1 if messages else 0

    def messages(self, topic: str, partition: int, start: int = 0) -> Iterator[Logged]:
        """The messages from `start` on."""
        return (message for message in self.topics[topic][partition] if message.offset >= start)

    def stored(self, topic: str, partition: int) -> Iterator[Stored]:
        """The rows of each message, once."""
        return ledger_rows(self.messages(topic, partition))

    def reached(self, topic: str, partition: int) -> dict[str, tuple[int, int]]:
        """The newest position of each origin."""
        return dict(positions.origin_of(m.source) for m in self.topics[topic][partition] if m.source)

    def strays(self, _age_ms: int = 0) -> int:
        """None: rows are read from messages."""
        return 0

    def operations(self) -> Operations:
        """The log of operations, folded."""
        return Operations.of(decode_operation(m.value) for m in self.messages(topics.OPERATIONS, 0))
