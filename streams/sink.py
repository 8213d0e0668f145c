"""The sink: what the topics say, into ClickHouse, from where the database says it stopped.

A batch is stored in three steps: 1 the rows that somebody waits for, 2 the others, 3 positions. What comes in
small batches waits for the first step alone: the others are of several batches together. A crash between any
two repeats rows, and every table keeps one row for each id, so nothing is lost and nothing counts twice.
"""

import json
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from clickhouse_connect.driver.client import Client
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage
from confluent_kafka.admin import AdminClient

from schemas import positions as sources
from schemas import topics
from schemas.errors import Unusable
from schemas.kafka import client_config
from schemas.positions import Position
from streams.broker import log_ends
from streams.day_marks import DayMarks
from streams.deal_memory import DealMemory
from streams.table_rows import INSERT, Rows, log

MAX_BATCH_MESSAGES = 500
POLL_SECONDS = 0.1
GATHER_SHARE = 2 / 3
"""Of the time that the last batch took, at most `POLL_SECONDS`: so long the next one is gathered. A batch is
some inserts, whatever is in it: where it takes long, fewer of them are stored sooner."""
BUSY_POLL_SECONDS = 1.0
"""While much arrives: a few large inserts cost ClickHouse less than many small ones, and their merges."""
BUSY_ROWS = 5_000
"""In one batch."""
REST_SECONDS = 0.5
"""From one time that all is stored to the next, while small batches follow one another."""
STAY_OPEN_SECONDS = 2.0
"""Of a day's mark: so long it is read by its rows, also if no more of it comes."""
RETRY_SECONDS = 5.0

_POSITIONS = "SELECT topic, partition, next_offset, sources FROM sink_positions FINAL"
READS = tuple(topic.name for topic in topics.TOPICS)


class Sink:
    """Reads every topic and stores it; run it in one thread, or step by step with `store_once`."""

    def __init__(self, client: Client, kafka: str) -> None:
        self._client = client
        self._consumer = Consumer(
            {
                **client_config(kafka),
                "group.id": "ibflow-sink",  # required by the client; positions live in ClickHouse
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "fetch.message.max.bytes": topics.MAX_MESSAGE_BYTES,
            }
        )
        self._admin = AdminClient(client_config(kafka))
        self._next: dict[tuple[str, int], int] = {}
        self._stored: dict[tuple[str, int], int] = {}
        self._kept: dict[tuple[str, int], int] = {}
        """What the database has of them: a partition that nothing came from has no row yet."""
        self._sources: dict[tuple[str, int], dict[str, Position]] = defaultdict(dict)
        """Of each partition: origin → the newest of it that is stored."""
        self._marks = self._fresh_marks()
        self._rows, self._took_s = 0, 0.0
        """Of the last batch."""
        self._rest, self._whole_at = Rows(), -REST_SECONDS
        """What is not stored yet of the messages before `_next`, and when there was no such thing."""
        self._stop = threading.Event()
        self.failure: Exception | None = None

    def check_log(self) -> None:
        """Raise `Unusable` if the log ends before what the database has stored of it.

        A Kafka that begins anew would grow past these places, and what it has below them be left out.
        """
        known = _offsets(self._client.query(_POSITIONS).result_rows)
        ends = self._consumer.list_topics(timeout=30).topics
        there = [place for place in known if place[0] in ends and place[1] in ends[place[0]].partitions]
        found = log_ends(self._admin, there) if there else {}
        beyond = [place for place, stored in sorted(known.items()) if stored > found.get(place, 0)]
        if beyond:
            topic, partition = beyond[0]
            self._close()
            raise Unusable(
                f"the ledger has stored {topic}/{partition} up to {known[beyond[0]]}, and Kafka has it up to"
                f" {found.get(beyond[0], 0)} ({len(beyond)} partitions are so): it is another Kafka, or one"
                " that lost its data. Restore that; or start with an empty ClickHouse, which is filled again"
                " from what this Kafka has"
            )

    def assign(self) -> None:
        """Take up every partition where the database says it stopped."""
        stored = self._client.query(_POSITIONS).result_rows
        known = _offsets(stored)
        self._sources = defaultdict(dict)
        for topic, partition, _, told in stored:
            self._sources[topic, partition] = {name: tuple(at) for name, at in json.loads(told).items()}
        metadata = self._consumer.list_topics(timeout=30)
        for topic in READS:
            for partition in metadata.topics[topic].partitions:
                self._next[topic, partition] = known.get((topic, partition), 0)
        self._stored, self._kept, self._rest = dict(self._next), known, Rows()
        self._marks = self._fresh_marks()
        self._consumer.assign([TopicPartition(t, p, offset) for (t, p), offset in self._next.items()])

    def _fresh_marks(self) -> DayMarks:
        return DayMarks(self._client, DealMemory(self._client), stay_open_s=STAY_OPEN_SECONDS)

    def run(self) -> None:
        """Store until `stop`. After a failure, begin again where the database says it stopped."""
        while not self._stop.is_set():
            try:
                self.assign()
                while not self._stop.is_set():
                    self.store_once()
                    self.failure = None
                self._store_rest()
            except Exception as error:
                self.failure = error
                log.exception(
                    "the sink could not store; in %s s it goes on where the database stopped", RETRY_SECONDS
                )
                self._stop.wait(RETRY_SECONDS)
        self._close()

    def _close(self) -> None:
        self._consumer.close()
        self._client.close()
        del self._admin  # it would go on looking for a broker that may be stopped next

    def stop(self) -> None:
        """Ask `run` to return after the batch at hand."""
        self._stop.set()

    def store_once(self) -> int:
        """Store one batch, if there is one; return its messages."""
        messages, before = self._gather(), self._rest.count
        started = time.monotonic()
        for message in messages:
            _check(message)
            self._collect(message, self._rest)
        self._rows = self._rest.count - before
        # 1 rows that somebody waits for
        self._rest.first().store(self._client, self._marks)
        if not messages or self._rows >= BUSY_ROWS or started - self._whole_at >= REST_SECONDS:
            self._store_rest()
        self._took_s = time.monotonic() - started
        return len(messages)

    def _gather(self) -> list[KafkaMessage]:
        messages = self._consumer.consume(1, POLL_SECONDS)
        if messages:
            is_busy = self._rows >= BUSY_ROWS
            patience = BUSY_POLL_SECONDS if is_busy else min(self._took_s * GATHER_SHARE, POLL_SECONDS)
            messages += self._consumer.consume(MAX_BATCH_MESSAGES - 1, patience)
        return messages

    def _collect(self, message: KafkaMessage, rows: Rows) -> None:
        topic, partition, offset, value = _parts(message)
        expected = self._next[topic, partition]
        if offset != expected:
            raise RuntimeError(
                f"{topic}/{partition}: offset {offset} follows {expected - 1}; a message is missing"
            )
        source = _text(dict(message.headers() or ()).get(topics.SOURCE_HEADER) or b"")
        rows.add(topic, partition, offset, value, source, self._unseen((topic, partition), source, value))
        self._next[topic, partition] = offset + 1

    def _unseen(self, place: tuple[str, int], source: str, value: bytes) -> bytes:
        """What a stage that reads the topic would take of a message: a repeat is no news."""
        if not source:
            return value
        origin, position, new = sources.unseen(source, value, self._sources[place])
        self._sources[place][origin] = position
        return new or b""

    def _store_rest(self) -> None:
        if self._next == self._stored:
            return
        # 2 the other rows
        self._rest.store(self._client, self._marks)
        # 3 positions: a crash before this repeats the rows, which their ids absorb
        self._store_positions()
        self._stored, self._rest, self._whole_at = dict(self._next), Rows(), time.monotonic()

    def _store_positions(self) -> None:
        rows = [
            [*place, offset, json.dumps(self._sources[place])]
            for place, offset in self._next.items()
            if offset != self._kept.get(place)
        ]
        self._client.insert(
            "sink_positions",
            rows,
            column_names=("topic", "partition", "next_offset", "sources"),
            column_type_names=("LowCardinality(String)", "UInt32", "UInt64", "String"),
            settings=dict(INSERT),
        )
        self._kept = dict(self._next)

    def lag(self) -> int:
        """Messages written and not stored yet; raise `RuntimeError` while it cannot store or ask.

        Asks by a client of its own: the consumer belongs to the thread that stores.
        """
        if self.failure is not None:
            raise RuntimeError(f"the sink cannot store: {self.failure}")
        positions = self.positions()
        ends = log_ends(self._admin, positions)
        return sum(max(end - positions[place], 0) for place, end in ends.items())

    def positions(self) -> dict[tuple[str, int], int]:
        """The next offset of every partition that is not stored yet."""
        return dict(self._stored)


def _offsets(stored: Sequence[Sequence[Any]]) -> dict[tuple[str, int], int]:
    return {(topic, partition): int(offset) for topic, partition, offset, _ in stored}


def _check(message: KafkaMessage) -> None:
    error = message.error()
    if error is not None and error.code() != KafkaError._PARTITION_EOF:
        raise KafkaException(error)


def _parts(message: KafkaMessage) -> tuple[str, int, int, bytes]:
    topic, partition, offset, value = message.topic(), message.partition(), message.offset(), message.value()
    assert None not in (topic, partition, offset, value), "a message of ours has them all"
    return str(topic), int(partition or 0), int(offset or 0), bytes(value or b"")


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode()
