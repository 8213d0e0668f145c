"""The sink: what the topics say, into ClickHouse, from where the database says it stopped.

A batch is stored in two steps: 1 rows, 2 positions. A crash between them repeats rows, and every
table keeps one row for each id, so nothing is lost and nothing counts twice.
"""

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, fields
from typing import Any

from clickhouse_connect.driver.client import Client
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined] # it is exported

from commission.events import ClientRegistered, Deal
from commission.outputs import Milestone, Rejection, Statement, Transfer
from commission.terms import PartnerDefined, PeriodDefined, PlanDefined
from schemas import topics
from schemas.dead_letters import DEAD_LETTER, DeadLetter
from schemas.wire import InvalidRecord, decode_batch, encode

log = logging.getLogger("ibflow.sink")

MAX_BATCH_MESSAGES = 500
POLL_SECONDS = 0.2
ASK_SECONDS = 5.0
RETRY_SECONDS = 5.0
ORIGIN = ("_topic", "_partition", "_offset")
INSERT = {"async_insert": 0}
"""ClickHouse 26 made inserts asynchronous by default; a position may only follow stored rows."""

BOOKS = (topics.ACCOUNT_BOOK, topics.CLIENT_BOOK, topics.PARTNER_BOOK, topics.TERMS, topics.SETTLEMENTS)
"""Archived as they stood, with their sources: what replay reads, and what tells which row caused which."""
READS = tuple(topic.name for topic in topics.TOPICS)

Row = list[Any]


@dataclass(frozen=True, slots=True)
class Table:
    """Where records of one type are stored: column names and how a record gives their values."""

    name: str
    columns: tuple[str, ...]
    row: Callable[[Any], Row]


def _mirror(
    name: str, record: type, skip: Iterable[str] = (), rename: Mapping[str, str] | None = None
) -> Table:
    """A table with a column for every field of a record but `type` and those skipped."""
    names = [field.name for field in fields(record) if field.name not in {"type", *skip}]
    columns = tuple((rename or {}).get(field, field) for field in names)
    return Table(name, columns, lambda value: [_cell(getattr(value, field)) for field in names])


def _cell(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _deal_row(deal: Deal) -> Row:
    """Cash operations have neither side nor entry; those columns are empty, not null."""
    row = _DEAL.row(deal)
    row[_SIDE], row[_ENTRY] = deal.side or "", deal.entry or ""
    return [deal.deal_key, *row]


def _partner_row(partner: PartnerDefined) -> Row:
    parent = partner.parents[-1].ib_id if partner.parents else None
    definition = encode([partner])[0].decode()
    return [partner.ib_id, partner.name, partner.currency, parent, partner.kyc_approved, definition]


_DEAL = _mirror("deals", Deal, rename={"group": "account_group"})
_SIDE, _ENTRY = _DEAL.columns.index("side"), _DEAL.columns.index("entry")

TABLES: dict[type, Table] = {
    Deal: Table("deals", ("deal_key", *_DEAL.columns), _deal_row),
    Transfer: _mirror("transfers", Transfer),
    Rejection: _mirror("rejections", Rejection),
    Milestone: _mirror("milestones", Milestone),
    Statement: _mirror("statements", Statement),
    ClientRegistered: _mirror("clients", ClientRegistered, skip=("source",)),
    PartnerDefined: Table(
        "partners", ("ib_id", "name", "currency", "parent", "kyc_approved", "definition"), _partner_row
    ),
    PlanDefined: Table(
        "plans",
        ("plan_id", "version", "definition"),
        lambda plan: [plan.plan_id, plan.version, encode([plan])[0].decode()],
    ),
    PeriodDefined: _mirror("periods", PeriodDefined),
    DeadLetter: Table(
        "dead_letters",
        ("dead_letter_id", "source", "position", "code", "reason", "payload", "received_at"),
        lambda letter: [
            letter.dead_letter_id,
            letter.source,
            letter.position,
            letter.code,
            letter.reason,
            letter.payload.decode("utf-8", "backslashreplace"),
            letter.received_at,
        ],
    ),
}
STORED_FROM: dict[str, tuple[type, ...]] = {
    topics.ACCOUNT_BOOK: (Deal,),
    topics.CLIENT_BOOK: (ClientRegistered,),
    topics.PARTNER_BOOK: (Transfer,),
    topics.TERMS: (PartnerDefined, PlanDefined, PeriodDefined),
    topics.SETTLEMENTS: (Transfer, Statement),
    topics.MILESTONES: (Milestone,),
    topics.REJECTIONS: (Rejection,),
    topics.DEAD_LETTERS: (DeadLetter,),
}
"""Records each topic contributes: terms are broadcast into the books but stored once."""


def to_rows(topic: str, partition: int, offset: int, value: bytes) -> dict[str, list[Row]]:
    """The rows of one message by table. Pure: the same message gives the same rows."""
    origin = [topic, partition, offset]
    rows: dict[str, list[Row]] = defaultdict(list)
    if topic == topics.DEAD_LETTERS:
        records: Iterable[Any] = [DEAD_LETTER.validate_json(line) for line in value.split(b"\n")]
    else:
        records = _decode(topic, partition, offset, value)
    for record in records:
        if isinstance(record, STORED_FROM[topic]):
            table = TABLES[type(record)]
            rows[table.name].append([*table.row(record), *origin])
    return rows


def _decode(topic: str, partition: int, offset: int, value: bytes) -> list[Any]:
    try:
        return list(decode_batch(value))
    except InvalidRecord as error:
        # The stage that reads this topic buries the bad lines; here the good ones are stored.
        log.warning("%s/%s/%s: %s", topic, partition, offset, error)
    good: list[Any] = []
    for line in value.split(b"\n"):
        try:
            good.extend(decode_batch(line))
        except InvalidRecord:
            continue  # it is a dead letter by now
    return good


_COLUMNS = {table.name: (*table.columns, *ORIGIN) for table in TABLES.values()}
_COLUMNS["books"] = (*ORIGIN, "source", "message")


def columns_of(table: str) -> tuple[str, ...]:
    """The columns the sink writes, in the order of its rows."""
    return _COLUMNS[table]


class Sink:
    """Reads every topic and stores it; run it in one thread, or step by step with `store_once`."""

    def __init__(self, client: Client, kafka: str) -> None:
        self._client = client
        self._consumer = Consumer(
            {
                "bootstrap.servers": kafka,
                "group.id": "ibflow-sink",  # required by the client; positions live in ClickHouse
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "fetch.message.max.bytes": topics.MAX_MESSAGE_BYTES,
            }
        )
        self._admin = AdminClient({"bootstrap.servers": kafka})
        self._next: dict[tuple[str, int], int] = {}
        self._stop = threading.Event()
        self.failure: Exception | None = None

    def assign(self) -> None:
        """Take up every partition where the database says it stopped."""
        stored = self._client.query(
            "SELECT topic, partition, max(next_offset) FROM sink_positions GROUP BY ALL"
        )
        known = {(row[0], row[1]): int(row[2]) for row in stored.result_rows}
        metadata = self._consumer.list_topics(timeout=30)
        for topic in READS:
            for partition in metadata.topics[topic].partitions:
                self._next[topic, partition] = known.get((topic, partition), 0)
        self._consumer.assign([TopicPartition(t, p, offset) for (t, p), offset in self._next.items()])

    def run(self) -> None:
        """Store until `stop`. After a failure, begin again where the database says it stopped."""
        while not self._stop.is_set():
            try:
                self.assign()
                while not self._stop.is_set():
                    self.store_once()
                    self.failure = None
            except Exception as error:
                self.failure = error
                log.exception(
                    "the sink could not store; nothing is lost, it tries again in %s s", RETRY_SECONDS
                )
                self._stop.wait(RETRY_SECONDS)
        self._consumer.close()
        self._client.close()
        del self._admin  # it would go on looking for a broker that may be stopped next

    def stop(self) -> None:
        """Ask `run` to return after the batch at hand."""
        self._stop.set()

    def store_once(self) -> int:
        """Store one batch, if there is one; return its messages."""
        messages = self._consumer.consume(MAX_BATCH_MESSAGES, POLL_SECONDS)
        rows: dict[str, list[Row]] = defaultdict(list)
        for message in messages:
            _check(message)
            self._collect(message, rows)
        if messages:
            self._store(rows)
        return len(messages)

    def _collect(self, message: KafkaMessage, rows: dict[str, list[Row]]) -> None:
        topic, partition, offset, value = _parts(message)
        expected = self._next[topic, partition]
        if offset != expected:
            raise RuntimeError(
                f"{topic}/{partition}: offset {offset} follows {expected - 1}; a message is missing"
            )
        for table, found in to_rows(topic, partition, offset, value).items():
            rows[table].extend(found)
        if topic in BOOKS:
            source = dict(message.headers() or ()).get(topics.SOURCE_HEADER) or b""
            rows["books"].append(
                [topic, partition, offset, _text(source), value.decode("utf-8", "backslashreplace")]
            )
        self._next[topic, partition] = offset + 1

    def _store(self, rows: Mapping[str, list[Row]]) -> None:
        # 1 rows
        for table, values in rows.items():
            self._client.insert(table, values, column_names=columns_of(table), settings=INSERT)
        # 2 positions: a crash before this repeats the rows, which their ids absorb
        positions = [[topic, partition, offset] for (topic, partition), offset in self._next.items()]
        self._client.insert(
            "sink_positions", positions, column_names=["topic", "partition", "next_offset"], settings=INSERT
        )

    def lag(self) -> int:
        """Messages written and not stored yet; raise `RuntimeError` while it cannot store or ask.

        Asks by a client of its own: the consumer belongs to the thread that stores.
        """
        if self.failure is not None:
            raise RuntimeError(f"the sink cannot store: {self.failure}")
        positions = self.positions()
        asked = {TopicPartition(topic, number): OffsetSpec.latest() for topic, number in positions}  # type: ignore[no-untyped-call] # it has no types
        try:
            ends = self._admin.list_offsets(asked, request_timeout=ASK_SECONDS)
            found = {tp: future.result(ASK_SECONDS).offset for tp, future in ends.items()}
        except (KafkaException, FutureTimeout) as error:
            raise RuntimeError(f"Kafka does not say how far the topics go: {error}") from None
        return sum(max(end - positions[tp.topic, tp.partition], 0) for tp, end in found.items())

    def positions(self) -> dict[tuple[str, int], int]:
        """The next offset of every partition."""
        return dict(self._next)


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
