"""Ledgers to verify: stored, copied and broken."""

from collections.abc import Iterable

from clickhouse_connect.driver.client import Client

from infra.verify.invariants import verify
from schemas import topics
from schemas.stops import OPERATION, Operation, Operations
from schemas.wire import Record
from streams.in_memory import LocalPipeline
from streams.partition import Message
from streams.table_rows import Rows


def store(client: Client, records: list[Record], operations: Iterable[Operation] = ()) -> None:
    """Run records through the pipeline and store every message as the sink does.

    What the operations skip is skipped; a stop of them that stands is not looked at.
    """
    sent: list[tuple[Message, int]] = []
    told = [Message(topics.OPERATIONS, 0, OPERATION.dump_json(operation)) for operation in operations]
    pipeline = LocalPipeline(on_message=lambda message, offset: sent.append((message, offset)))
    for (topic, _), skips in Operations.of(operations).skips.items():
        pipeline._stages[topic].skips = skips
    list(pipeline.feed(records))
    sent += [(message, offset) for offset, message in enumerate(told)]
    ends: dict[str, int] = {}
    rows = Rows()
    for message, offset in sent:
        ends[message.topic] = offset + 1
        rows.add(message.topic, 0, offset, message.value, message.source)
    rows.store(client)
    positions = [[topic, 0, end] for topic, end in ends.items()]
    client.insert("sink_positions", positions, column_names=["topic", "partition", "next_offset"])


def broken(client: Client) -> list[str]:
    return [finding.invariant for finding in verify(client).findings if not finding.holds]


def copied(client: Client, where: str, table: str = "transfers", **changes: object) -> None:
    """Add a copy of one stored row, with changes."""
    described = client.query(f"DESCRIBE TABLE {table}").result_rows
    names = [name for name, _, how, *_ in described if how != "MATERIALIZED"]  # made of the others
    found = client.query(f"SELECT {', '.join(names)} FROM {table} WHERE {where} LIMIT 1").first_row  # noqa: S608
    row = {**dict(zip(names, found, strict=True)), **changes}
    client.insert(table, [[row[name] for name in names]], column_names=names)
