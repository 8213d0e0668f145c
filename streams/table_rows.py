"""Lines of topics as rows of tables."""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from typing import Any, get_args

from clickhouse_connect.driver.client import Client

from commission.events import ClientEvent, ClientRegistered, Deal
from commission.outputs import Milestone, Rejection, Statement, StatementWithdrawn, Transfer
from commission.payouts.commands import PayoutAnswer
from commission.postbacks.records import Delivery
from commission.terms.calendar import PeriodDefined
from commission.terms.partners import PartnerChanged, PartnerDefined
from commission.terms.plans import PlanDefined
from commission.value import TaggedValue
from schemas import topics
from schemas.attempts import Attempt
from schemas.clicks import LinkClicked
from schemas.dead_letters import DEAD_LETTER_RECORD, DeadLetter, DeadLetterDecision
from schemas.payouts import decode_payout
from schemas.proposals import decode_proposal
from schemas.reconciliations import RECONCILIATION, Reconciliation, decode_reconciliation
from schemas.stops import OPERATION, BookCommand, Operation, PartitionStopped, decode_operation
from schemas.wire import decode_batch, decode_lines, encode
from streams.day_marks import DayMarks
from streams.decision_rows import DECIDED, PAYOUT_RECORDS, PROPOSAL_RECORDS, Row, Table

log = logging.getLogger("ibflow.sink")

ORIGIN = ("_topic", "_partition", "_offset")
INSERT = {
    "async_insert": 0,  # by default since ClickHouse 26; a position may only follow stored rows
    # By one thread: to share it out costs a fifth more CPU, and is no faster where others need the cores.
    "max_threads": 1,
    "input_format_parallel_parsing": 0,
}
INSERT_LINES = {
    **INSERT,
    "date_time_input_format": "best_effort",
    "input_format_skip_unknown_fields": 1,
    "input_format_null_as_default": 1,
    "max_partitions_per_insert_block": 0,  # a month each: an import may bring more than the hundred of a slip
}

BOOKS = (topics.ACCOUNT_BOOK, topics.CLIENT_BOOK, topics.PARTNER_BOOK, topics.TERMS, topics.SETTLEMENTS)
"""Archived as they stood, with their sources: what replay reads, and what tells which row caused which."""

FIRST = ("deals", "transfers")
"""Within a batch: somebody waits for these, and a transfer needs its deal."""
CLIENT_EVENTS = tuple(kind for kind in get_args(ClientEvent) if kind is not ClientRegistered)
LINES: dict[type[TaggedValue], str] = {
    Deal: "deals",
    Transfer: "transfers",
    Rejection: "rejections",
    Milestone: "milestones",
    Statement: "statements",
    StatementWithdrawn: "statement_withdrawals",
    PayoutAnswer: "payout_answers",
    ClientRegistered: "clients",
    PeriodDefined: "periods",
    Attempt: "postback_attempts",
    LinkClicked: "clicks",
    PartnerChanged: "partner_changes",
    **dict.fromkeys(CLIENT_EVENTS, "client_events"),
}
"""Tables with a column for every field: ClickHouse reads the record's line itself, at a third of the cost."""


def _row_of_operation(operation: Operation) -> Row:
    command = operation if isinstance(operation, BookCommand) else None
    return [
        operation.type,
        operation.topic,
        operation.partition,
        operation.offset,
        command.action if command else "",
        command.by if command else "",
        operation.at,
        OPERATION.dump_json(operation).decode(),
    ]


_OPERATIONS = Table(
    "operations",
    ("type", "topic", "partition", "offset", "action", "by", "at", "record"),
    _row_of_operation,
)
_LETTER = (
    *("dead_letter_id", "source", "position", "code", "reason", "payload", "payload_base64"),
    *("payload_bytes", "server", "header", "is_blanked", "received_at"),
)


def _row_of_letter(letter: DeadLetter) -> Row:
    text = letter.payload.decode("utf-8", "backslashreplace")
    return [text if name == "payload" else getattr(letter, name) for name in _LETTER]


_RECONCILIATION = tuple(
    part.name for part in fields(Reconciliation) if part.name not in ("type", "days", "examples")
)


TABLES: dict[type, Table] = {
    PartnerDefined: Table(
        "partners",
        ("ib_id", "name", "currency", "parent", "kyc_approved", "definition"),
        lambda partner: [
            partner.ib_id,
            partner.name,
            partner.currency,
            partner.parents[-1].ib_id if partner.parents else None,
            partner.kyc_approved,
            encode([partner])[0].decode(),
        ],
    ),
    PlanDefined: Table(
        "plans",
        ("plan_id", "version", "definition"),
        lambda plan: [plan.plan_id, plan.version, encode([plan])[0].decode()],
    ),
    DeadLetter: Table("dead_letters", _LETTER, _row_of_letter),
    DeadLetterDecision: Table(
        "dead_letter_decisions",
        ("dead_letter_id", "action", "by", "at", "note", "payload_base64", "became"),
        lambda decision: [
            *(decision.dead_letter_id, decision.action, decision.by, decision.at, decision.note),
            *(decision.payload_base64, list(decision.became)),
        ],
    ),
    PartitionStopped: _OPERATIONS,
    BookCommand: _OPERATIONS,
    Reconciliation: Table(
        "reconciliations",
        (*_RECONCILIATION, "record"),
        lambda found: [
            *(getattr(found, name) for name in _RECONCILIATION),
            RECONCILIATION.dump_json(found).decode(),
        ],
    ),
    **DECIDED,
    Delivery: Table(
        "deliveries",
        ("delivery_id", "endpoint", "milestone_id", "kind", "client_id", "occurred_at", "replay", "record"),
        lambda due: [
            *(due.delivery_id, due.endpoint_id, due.event.milestone_id, due.event.kind, due.event.client_id),
            *(due.event.occurred_at, due.replay, encode([due])[0].decode()),
        ],
    ),
}
STORED_FROM: dict[str, tuple[type, ...]] = {
    topics.ACCOUNT_BOOK: (Deal,),
    topics.CLIENT_BOOK: (ClientRegistered, PartnerChanged, *CLIENT_EVENTS),
    topics.PARTNER_BOOK: (Transfer,),
    topics.TERMS: (PartnerDefined, PlanDefined, PeriodDefined),
    topics.SETTLEMENTS: (Transfer, Statement, StatementWithdrawn, PayoutAnswer),
    topics.MILESTONES: (Milestone,),
    topics.ENDPOINTS: (),  # with what is sealed; the server reads them of the log
    topics.DELIVERIES: (Delivery,),
    topics.ATTEMPTS: (Attempt,),
    topics.LINKS: (),  # the server reads them of the log
    topics.CLICKS: (LinkClicked,),
    topics.REJECTIONS: (Rejection,),
    topics.DEAD_LETTERS: (DeadLetter, DeadLetterDecision),
    topics.OPERATIONS: (PartitionStopped, BookCommand),
    topics.RECONCILIATIONS: (Reconciliation,),
    topics.PAYOUTS: PAYOUT_RECORDS,
    topics.PROPOSALS: PROPOSAL_RECORDS,
    **dict.fromkeys(topics.NOT_STORED, ()),  # read where they are decided: the database has no part in them
}
"""Records each topic contributes: terms are broadcast into the books but stored once.

What a CRM changes of an IB is stored from the book: the terms topic also holds what the router refused.
"""


@dataclass(slots=True)
class Rows:
    """What messages put into the tables: lines that ClickHouse reads, and rows made here."""

    lines: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))

    def add(
        self,
        topic: str,
        partition: int,
        offset: int,
        value: bytes,
        source: str,
        new: bytes | None = None,
    ) -> None:
        """Take in one message, which is archived whole; rows are made of what is `new` in it, by default all.

        The same message always gives the same rows.
        """
        if topic in BOOKS:
            archived = [topic, partition, offset, source, value.decode("utf-8", "backslashreplace")]
            self.rows["books"].append(archived)
        if new is not None:
            value = new
        if not value:
            return
        if topic == topics.DEAD_LETTERS:
            letters = [DEAD_LETTER_RECORD.validate_json(line) for line in value.split(b"\n") if line]
            self._add_records(topic, partition, offset, letters)
            return
        if decode := _SINGLE.get(topic):
            self._add_records(topic, partition, offset, [decode(value)])
            return
        tables, made = _STORED[topic]
        lines = value.split(b"\n") if source else _checked(topic, partition, offset, value)
        head = b'{"_topic":"%s","_partition":%d,"_offset":%d,' % (topic.encode(), partition, offset)
        for line in lines:
            if table := tables.get(line[:TAG_BYTES].split(b",", 1)[0]):
                self.lines[table].append(head + line[1:])
            elif made and line:
                self._add_records(topic, partition, offset, decode_batch(line))

    def _add_records(self, topic: str, partition: int, offset: int, records: Iterable[Any]) -> None:
        for record in records:
            if type(record) in STORED_FROM[topic]:
                table = TABLES[type(record)]
                self.rows[table.name].append([*table.row(record), topic, partition, offset])

    def first(self) -> "Rows":
        """Take out what somebody waits for: they may be stored before the rest is, and without it."""
        return Rows({table: self.lines.pop(table) for table in FIRST if table in self.lines})

    @property
    def count(self) -> int:
        """Rows of all tables."""
        return sum(len(lines) for lines in self.lines.values()) + sum(
            len(rows) for rows in self.rows.values()
        )

    def store(self, client: Client, marks: DayMarks | None = None) -> None:
        """Insert everything; a repeated insert changes nothing, as every table keeps one row for each id.

        `marks` are those of a sink, which stores all there is; others ask anew.
        """
        marks = marks or DayMarks(client)
        blocks = {table: b"\n".join(self.lines[table]) for table in sorted(self.lines, key=_by_need)}
        marks.begin(blocks)
        for table, block in blocks.items():
            client.raw_insert(table, insert_block=block, fmt="JSONEachRow", settings=dict(INSERT_LINES))
        for table, rows in self.rows.items():
            types = _TYPES.get(table)
            client.insert(
                table, rows, column_names=_COLUMNS[table], column_type_names=types, settings=dict(INSERT)
            )
        marks.end()


_SINGLE: dict[str, Callable[[bytes], object]] = {
    topics.OPERATIONS: decode_operation,
    topics.RECONCILIATIONS: decode_reconciliation,
    topics.PAYOUTS: decode_payout,
    topics.PROPOSALS: decode_proposal,
    **dict.fromkeys(topics.NOT_STORED, lambda _: None),
}
"""Topics whose messages are one record each; what cannot be read is None, and stored nowhere."""
TAG_BYTES = 40
"""The type of a record stands within so many bytes of its line."""


def _checked(topic: str, partition: int, offset: int, value: bytes) -> list[bytes]:
    """The good lines of a message from outside, as `encode` writes them: `type` first.

    What a stage sent has been checked by its sender.
    """
    records, bad = decode_lines(value)
    if bad:  # the stage that reads this topic makes dead letters of them; here the good ones are stored
        first = f"line {bad[0].number}: {bad[0].reason}"
        log.warning("%s/%s/%s: %s bad lines; %s", topic, partition, offset, len(bad), first)
    lines = value.strip().split(b"\n")
    is_as_written = len(lines) == len(records) and all(line.startswith(b'{"type":"') for line in lines)
    return lines if is_as_written else encode(records)


def _tag(record: type[TaggedValue]) -> bytes:
    return b'{"type":"%s"' % str(record.__struct_config__.tag).encode()


_STORED = {
    topic: ({_tag(kind): LINES[kind] for kind in kinds if kind in LINES}, any(k in TABLES for k in kinds))
    for topic, kinds in STORED_FROM.items()
}
_COLUMNS = {table.name: (*table.columns, *ORIGIN) for table in TABLES.values()}
_COLUMNS["books"] = (*ORIGIN, "source", "message")
_TYPES = {"books": ("LowCardinality(String)", "UInt32", "UInt64", "String", "String")}
"""Of tables that are in every batch: the client asks for the others'."""


def _by_need(table: str) -> tuple[int, str]:
    """The order of tables within a batch."""
    return FIRST.index(table) if table in FIRST else len(FIRST), table
