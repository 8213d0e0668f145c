"""Unfinished batches, one a partition, and a producer that is watched: every delivery is checked."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from ingest.sources import EncodedDeals
from schemas.errors import Unavailable
from schemas.kafka import client_config
from schemas.topics import (
    ACCOUNT_BOOK,
    BROKER_HEADER,
    partition_of,
)
from schemas.wire import MAX_BATCH_BYTES, MAX_BATCH_RECORDS, MAX_RECORD_BYTES

DELIVERY_TIMEOUT_MS = 60_000
METADATA_TIMEOUT_S = 10
FLUSH_TIMEOUT_S = 75
"""Longer than a delivery may take, so that every message has its report by then."""
MAX_BUFFERED_BYTES = 32_000_000
"""Bytes of all unfinished batches together; over it all are sent as they are."""
QUEUE_KBYTES = 65_536
TOGETHER_RECORDS = 100
"""Encoded deals added together: few enough to fill batches, many enough to cost little each."""

CONFIG: dict[str, Any] = {
    "enable.idempotence": True,
    "delivery.timeout.ms": DELIVERY_TIMEOUT_MS,
    "compression.type": "lz4",
    "linger.ms": 5,
    "log_level": 3,  # failures reach the caller as `PublishFailed`; a retry is not worth a line
    "queue.buffering.max.kbytes": QUEUE_KBYTES,
    # A topic made by accident has one partition and splits a book; `ibflow` makes topics on purpose.
    "allow.auto.create.topics": False,
}


class PublishFailed(Unavailable):
    """Something was not delivered. Publishing the same input again is safe: deals are deduplicated."""


@dataclass(frozen=True, slots=True)
class PublishReport:
    """What was delivered, every message acknowledged by Kafka."""

    records: dict[str, int]
    """By topic."""
    messages: int
    bytes: int

    @property
    def total(self) -> int:
        """Records of all topics."""
        return sum(self.records.values())


def partitions_of(topic: str, producer: Producer, say: Callable[[str], str]) -> int:
    """Ask Kafka how many partitions a topic has; raise `PublishFailed`, in the words of `say`."""
    try:
        known = producer.list_topics(topic, timeout=METADATA_TIMEOUT_S).topics[topic]
    except KafkaException as error:
        raise PublishFailed(say(str(error))) from None
    if known.error is not None or not known.partitions:
        raise PublishFailed(say(f"topic {topic} does not exist or is not ready: {known.error}"))
    return len(known.partitions)


def check_length(line: bytes) -> None:
    """Raise `PublishFailed` for a record that no reader would take."""
    if len(line) > MAX_RECORD_BYTES:
        raise PublishFailed(
            f"a record has {len(line):,} bytes; the limit is {MAX_RECORD_BYTES:,}: {line[:200]!r}"
        )


@dataclass(slots=True)
class _Batch:
    lines: list[bytes] = field(default_factory=list)
    size: int = 0


class Outbox:
    """Unfinished batches, one a partition, and a producer that is watched."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._producer = Producer({**client_config(bootstrap), **CONFIG})
        self._batches: dict[tuple[str, int], _Batch] = {}
        self._buffered = 0
        self._partitions: dict[str, int] = {}
        self._known: dict[tuple[str, str], int] = {}
        self._records: Counter[str] = Counter()
        self._sent = self._delivered = self._bytes = 0
        self._failure = ""

    def partition(self, topic: str, key: str) -> int:
        """The partition of a key; accounts repeat, so hashes are remembered."""
        found = self._known.get((topic, key))
        if found is None:
            if len(self._known) >= 100_000:
                self._known.clear()
            found = self._known[topic, key] = partition_of(key, self.count(topic))
        return found

    def add(self, topic: str, partition: int, *lines: bytes) -> None:
        """Put records into their partition's batch; send what is full."""
        size = sum(map(len, lines)) + len(lines)
        if size > MAX_BATCH_BYTES and len(lines) > 1:
            middle = len(lines) // 2
            self.add(topic, partition, *lines[:middle])
            self.add(topic, partition, *lines[middle:])
            return
        check_length(max(lines, key=len))
        batch = self._batches.setdefault((topic, partition), _Batch())
        is_full = len(batch.lines) + len(lines) > MAX_BATCH_RECORDS or batch.size + size > MAX_BATCH_BYTES
        if batch.lines and is_full:
            self._send_batch(topic, partition, batch)
        batch.lines += lines
        batch.size += size
        self._buffered += size
        if self._buffered > MAX_BUFFERED_BYTES:
            self._send_batches()

    def add_deals(self, deals: EncodedDeals) -> None:
        """Put deals into their partitions' batches, a hundred at a time, which is cheaper."""
        by_partition: dict[int, list[bytes]] = defaultdict(list)
        for key, line in zip(deals.account_keys, deals.lines, strict=True):
            by_partition[self.partition(ACCOUNT_BOOK, key)].append(line)
        for partition, lines in by_partition.items():
            for start in range(0, len(lines), TOGETHER_RECORDS):
                self.add(ACCOUNT_BOOK, partition, *lines[start : start + TOGETHER_RECORDS])

    def send(self, topic: str, partition: int, message: bytes, records: int, broker: str = "") -> None:
        """Hand one message to the producer, waiting while its queue is full."""
        self.count(topic)
        named: dict[str, str | bytes | None] = {BROKER_HEADER: broker} if broker else {}
        deadline = time.monotonic() + FLUSH_TIMEOUT_S
        while True:
            self._check()
            try:
                self._producer.produce(
                    topic, message, partition=partition, headers=named, on_delivery=self._delivered_or_not
                )
                break
            except BufferError:
                if time.monotonic() > deadline:
                    raise PublishFailed(self._say("the send queue stays full")) from None
                self._producer.poll(0.1)
            except KafkaException as error:
                raise PublishFailed(self._say(str(error))) from None
        self._sent += 1
        self._bytes += len(message)
        self._records[topic] += records
        self._producer.poll(0)

    def finish(self) -> PublishReport:
        """Send what is left and wait for every acknowledgement."""
        self._send_batches()
        waiting = self._producer.flush(FLUSH_TIMEOUT_S)
        self._check()
        if waiting or self._delivered != self._sent:
            raise PublishFailed(
                self._say(f"no answer for {self._sent - self._delivered} of {self._sent} messages")
            )
        return PublishReport(dict(self._records), self._sent, self._bytes)

    def abandon(self) -> None:
        """Drop what is queued, after a failure; nothing is left once `finish` has returned."""
        if len(self._producer):
            self._producer.purge()
            self._producer.flush(1)

    def _send_batch(self, topic: str, partition: int, batch: _Batch) -> None:
        message, records = b"\n".join(batch.lines), len(batch.lines)
        self._buffered -= batch.size
        batch.lines, batch.size = [], 0
        self.send(topic, partition, message, records)

    def _send_batches(self) -> None:
        for (topic, partition), batch in self._batches.items():
            if batch.lines:
                self._send_batch(topic, partition, batch)

    def count(self, topic: str) -> int:
        """Partitions of a topic, asked once."""
        if topic not in self._partitions:
            self._partitions[topic] = partitions_of(topic, self._producer, self._say)
        return self._partitions[topic]

    def _delivered_or_not(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self._delivered += 1
        elif not self._failure:
            place = f"{message.topic()}/{message.partition()}"
            self._failure = f"a message for {place} was not delivered: {error.str()}"

    def _check(self) -> None:
        if self._failure:
            raise PublishFailed(self._say(self._failure))

    def _say(self, what: str) -> str:
        return (
            f"Kafka at {self._bootstrap}: {what}. {self._delivered} of {self._sent} messages were"
            " acknowledged; publish the same input again once it is repaired: what arrived counts once"
        )
