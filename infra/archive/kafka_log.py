"""The archive in Kafka: a topic's own log."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from infra.archive.log import BLOCK_MESSAGES, SILENT_SECONDS, Logged, Stored, ledger_rows
from infra.connect.topics import partition_counts
from schemas import positions, topics
from schemas.errors import Unavailable
from schemas.kafka import client_config
from schemas.stops import Operations, decode_operation
from streams.broker import log_range

POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class KafkaAt:
    """The books on Kafka, where they are also the truth while everything runs."""

    servers: str

    @contextmanager
    def open(self) -> "Iterator[KafkaLog]":
        """Connect; nothing is committed, no group is joined."""
        consumer = Consumer(
            {
                **client_config(self.servers),
                "group.id": "ibflow-replay",  # required by the client; never joined, never committed
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "fetch.message.max.bytes": topics.MAX_MESSAGE_BYTES,
                "queued.max.messages.kbytes": 32 * 1024,
            }
        )
        try:
            yield KafkaLog(self.servers, consumer)
        except KafkaException as error:
            raise Unavailable(f"Kafka at {self.servers} does not answer: {error}") from None
        finally:
            consumer.close()


def _source_of(message: Message) -> str:
    source = dict(message.headers() or ()).get(topics.SOURCE_HEADER) or b""
    return source if isinstance(source, str) else source.decode()


class KafkaLog:
    """One connection to the books on Kafka."""

    def __init__(self, servers: str, consumer: Consumer) -> None:
        self._servers = servers
        self._consumer = consumer
        self._reached: dict[tuple[str, int], dict[str, tuple[int, int]]] = {}

    def counts(self) -> dict[str, int]:
        """Partitions of each topic."""
        return partition_counts(self._servers)

    def end(self, topic: str, partition: int) -> int:
        """The high watermark."""
        return log_range(self._consumer, topic, partition, SILENT_SECONDS)[1]

    def messages(self, topic: str, partition: int, start: int = 0) -> Iterator[Logged]:
        """From `start` to the high watermark as it is now, each offset once and none left out."""
        end, expected = self.end(topic, partition), start
        if expected >= end:
            return
        self._consumer.assign([TopicPartition(topic, partition, start)])
        deadline = time.monotonic() + SILENT_SECONDS
        try:
            while expected < end:
                # It waits out its timeout for a full block, so the timeout is short.
                for message in self._consumer.consume(BLOCK_MESSAGES, POLL_SECONDS):
                    if (error := message.error()) is not None:
                        raise KafkaException(error)
                    offset = int(message.offset() or 0)
                    if offset >= end:
                        break
                    expected, deadline = offset + 1, time.monotonic() + SILENT_SECONDS
                    yield Logged(offset, _source_of(message), bytes(message.value() or b""))
                if time.monotonic() > deadline:
                    raise Unavailable(f"{topic}/{partition}: Kafka sent nothing for {SILENT_SECONDS:.0f} s")
        finally:
            self._consumer.unassign()

    def stored(self, topic: str, partition: int) -> Iterator[Stored]:
        """The rows the topic holds."""
        reached = self._reached[topic, partition] = {}
        for stored in ledger_rows(self.messages(topic, partition)):
            origin, position = positions.origin_of(stored.source)
            reached[origin] = position
            yield stored

    def reached(self, topic: str, partition: int) -> dict[str, tuple[int, int]]:
        """The newest position of each origin that `stored` has come to."""
        return dict(self._reached.get((topic, partition), {}))

    def strays(self, _age_ms: int = 0) -> int:
        """None: rows are read from messages."""
        return 0

    def operations(self) -> Operations:
        """The log of operations, folded."""
        return Operations.of(decode_operation(m.value) for m in self.messages(topics.OPERATIONS, 0))
