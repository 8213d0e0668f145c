"""The archive in ClickHouse: stored rows as the messages they came in."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error
from msgspec import MsgspecError
from msgspec.json import Decoder

from commission.outputs import Transfer
from infra.archive.held_deals import HELD_QUERIES
from infra.archive.log import (
    BLOCK_MESSAGES,
    SILENT_SECONDS,
    Logged,
    Row,
    Stored,
)
from infra.connect.ledger_at import Server
from infra.connect.settings import dsn_client
from schemas import positions, topics
from schemas.columns import STATEMENT_COLUMNS, TRANSFER_COLUMNS
from schemas.errors import Unavailable
from schemas.settings import TlsFiles
from schemas.stops import Operations, decode_operation
from schemas.wire import InvalidRecord, decode_batch

BLOCK_ROWS = 5_000
DECODE_ROWS = 500
CHUNK_BYTES = 1 << 20


def _record(kind: str, columns: Iterable[str]) -> str:
    named = ", ".join(f"t.{name} AS {name}" for name in columns)
    return f"tuple('{kind}' AS type, {named}) AS record"


_TRANSFER = _record("transfer", TRANSFER_COLUMNS)
_STATEMENT = _record("statement", STATEMENT_COLUMNS)
_PLAIN = "output_format_json_quote_64bit_integers = 0, output_format_json_escape_forward_slashes = 0"
_AS_MESSAGES = f"SETTINGS max_block_size = {BLOCK_MESSAGES}, {_PLAIN}"
_AS_RECORDS = (
    f"SETTINGS max_block_size = {BLOCK_ROWS}, date_time_output_format = 'iso', "
    f"output_format_json_quote_decimals = 1, enable_named_columns_in_function_tuple = 1, {_PLAIN}"
)
"""So that the record of a row of JSONEachRow is written as on the wire."""

QUERIES: dict[str, str] = {
    "counts": "SELECT topic, toUInt32(max(partition) + 1) AS count FROM sink_positions GROUP BY topic",
    "end": """
        SELECT toString(max(next_offset)) AS end FROM sink_positions
        WHERE topic = {topic:String} AND partition = {partition:UInt32}
    """,
    "messages": f"""
        SELECT _offset AS offset, source, message FROM books FINAL
        WHERE _topic = {{topic:String}} AND _partition = {{partition:UInt32}} AND _offset >= {{start:UInt64}}
        ORDER BY _offset {_AS_MESSAGES}
    """,
    "transfers": f"""
        SELECT b.source AS source, {_TRANSFER}
        FROM transfers AS t FINAL
        INNER JOIN (
            SELECT _offset, source FROM books FINAL
            WHERE _topic = {{topic:String}} AND _partition = {{partition:UInt32}}
        ) AS b ON t._offset = b._offset
        WHERE t._topic = {{topic:String}} AND t._partition = {{partition:UInt32}} {_AS_RECORDS}
    """,
    "settled": f"""
        SELECT '' AS source, {_TRANSFER} FROM transfers AS t FINAL
        WHERE t._topic = {{topic:String}} AND t._partition = {{partition:UInt32}} {_AS_RECORDS}
    """,
    "statements": f"""
        SELECT '' AS source, {_STATEMENT} FROM statements AS t FINAL
        WHERE t._topic = {{topic:String}} AND t._partition = {{partition:UInt32}} {_AS_RECORDS}
    """,
    "reached": """
        WITH splitByChar('/', splitByChar('|', source)[1]) AS parts
        SELECT arrayStringConcat(arraySlice(parts, 1, 2), '/') AS origin,
            max((toUInt64(parts[3]), toUInt32(parts[4]))) AS newest
        FROM books WHERE _topic = {topic:String} AND _partition = {partition:UInt32} AND source != ''
        GROUP BY origin SETTINGS output_format_json_quote_64bit_integers = 0,
            output_format_json_escape_forward_slashes = 0
    """,
    "across": f"""
        SELECT _offset AS offset, source, message FROM books FINAL
        WHERE _topic = {{topic:String}} AND _partition = {{partition:UInt32}}
          AND startsWith(source, concat({{origin:String}}, '/')) AND position(source, '|') > 0
          AND toUInt64(splitByChar('/', source)[3]) > {{last:UInt64}}
          AND toUInt64(splitByChar('/', splitByChar('|', source)[2])[1]) <= {{last:UInt64}}
        {_AS_MESSAGES}
    """,
    "newest": """
        SELECT toString(if(count() = 0, 0, max(_offset) + 1)) AS newest FROM (
            SELECT _topic, _partition, _offset FROM transfers FINAL
            UNION ALL
            SELECT _topic, _partition, _offset FROM statements FINAL
            UNION ALL
            SELECT _topic, _partition, _offset FROM payout_answers FINAL
        ) WHERE _topic = {topic:String} AND _partition = {partition:UInt32}
    """,
    "operations": f"SELECT record FROM operations FINAL ORDER BY _offset SETTINGS {_PLAIN}",
    "strays": f"""
        SELECT toString(count()) AS strays FROM transfers FINAL
        WHERE stored_at <= now64(3) - toIntervalMillisecond({{age_ms:UInt32}})
            AND (_topic NOT IN ('{topics.PARTNER_BOOK}', '{topics.SETTLEMENTS}')
            OR (_topic = '{topics.PARTNER_BOOK}' AND (_partition, _offset) NOT IN (
                SELECT _partition, _offset FROM books WHERE _topic = '{topics.PARTNER_BOOK}'
            )))
    """,
    **HELD_QUERIES,
}
"""Everything a reader may ask of the archive, by name: a server answers these and nothing else."""

Ask = Callable[[str, dict[str, str | int]], Iterator[bytes]]


def ask_client(client: Client, query: str, parameters: dict[str, str | int]) -> Iterator[bytes]:
    """Answer one of `QUERIES` in chunks of JSON lines, a block at a time."""
    # Settings stand in the SQL: passed beside it, chDB would hold the whole answer in memory.
    with client.raw_stream(QUERIES[query], parameters, fmt="JSONEachRow") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            yield chunk


@dataclass(frozen=True, slots=True)
class ClickHouseAt:
    """The archive in a ClickHouse server."""

    dsn: str
    files: TlsFiles
    given: Mapping[str, Any] = field(default_factory=dict)
    """Settings of its queries."""

    @contextmanager
    def open(self) -> "Iterator[ArchiveLog]":
        """Connect."""
        try:
            with dsn_client(self.dsn, self.files, self.given) as client:
                yield ArchiveLog(lambda query, parameters: ask_client(client, query, parameters))
        except Error as error:
            raise Unavailable(f"the archive cannot be read: {error}") from None


@dataclass(frozen=True, slots=True)
class OpenArchive:
    """The archive through a client that is open already, for work in this process."""

    client: Client

    @contextmanager
    def open(self) -> "Iterator[ArchiveLog]":
        """The client is left open."""
        yield ArchiveLog(lambda query, parameters: ask_client(self.client, query, parameters))


@dataclass(frozen=True, slots=True)
class ServerAt:
    """The archive in an embedded ClickHouse, through the process that owns it."""

    server: Server

    @contextmanager
    def open(self) -> "Iterator[ArchiveLog]":
        """Connect."""
        with self.server.open(SILENT_SECONDS) as http:

            def ask(query: str, parameters: dict[str, str | int]) -> Iterator[bytes]:
                with http.stream("GET", f"/v1/archive/{query}", params=parameters) as answer:
                    if answer.is_error:
                        answer.read()
                    yield from self.server.check(answer).iter_bytes()

            yield ArchiveLog(ask)


class ArchiveLog:
    """One connection to the archive, wherever it is."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def counts(self) -> dict[str, int]:
        """Partitions of each topic, as the sink has seen them."""
        known = {str(row["topic"]): int(row["count"]) for row in self.rows("counts")}
        return {topic.name: known.get(topic.name, 0) for topic in topics.TOPICS}

    def end(self, topic: str, partition: int) -> int:
        """How far the sink says it has stored the partition."""
        return self._number("end", "end", topic=topic, partition=partition)

    def messages(self, topic: str, partition: int, start: int = 0) -> Iterator[Logged]:
        """The messages of a book."""
        for row in self.rows("messages", topic=topic, partition=partition, start=start):
            yield Logged(int(row["offset"]), row["source"], row["message"].encode())

    def stored(self, topic: str, partition: int) -> Iterator[Stored]:
        """The rows the topic brought; of settlements the archive keeps no source."""
        queries = ("settled", "statements") if topic == topics.SETTLEMENTS else ("transfers",)
        for query in queries:
            lines = _lines(self._ask(query, {"topic": topic, "partition": partition}))
            while block := list(islice(lines, DECODE_ROWS)):
                for row in _decode(block):
                    yield Stored(row.source, [row.record])

    def reached(self, topic: str, partition: int) -> dict[str, tuple[int, int]]:
        """The newest message of each origin that is stored; of settlements the archive does not tell."""
        if topic == topics.SETTLEMENTS:
            return {}
        rows = self.rows("reached", topic=topic, partition=partition)
        return {row["origin"]: _pair(row["newest"]) for row in rows}

    def up_to(self, topic: str, partition: int, until: Mapping[str, int]) -> set[str]:
        """Transfers caused at or before `until` that came together with later ones."""
        found: set[str] = set()
        for origin, last in until.items():
            rows = self.rows("across", topic=topic, partition=partition, origin=origin, last=last)
            parts = (part for row in rows for part in positions.split(row["source"], row["message"].encode()))
            for source, value in parts:
                if positions.origin_of(source)[1][0] <= last:
                    found.update(one.transfer_id for one in decode_batch(value) if isinstance(one, Transfer))
        return found

    def newest(self, topic: str, partition: int) -> int:
        """The offset after the newest message that has rows."""
        return self._number("newest", "newest", topic=topic, partition=partition)

    def strays(self, age_ms: int = 0) -> int:
        """Rows, at least so old, whose message is not in the archive."""
        return self._number("strays", "strays", age_ms=age_ms)

    def operations(self) -> Operations:
        """The log of operations, folded."""
        return Operations.of(decode_operation(row["record"]) for row in self.rows("operations"))

    def _number(self, query: str, name: str, **parameters: str | int) -> int:
        return int(next(self.rows(query, **parameters))[name])

    def rows(self, query: str, **parameters: str | int) -> Iterator[dict[str, Any]]:
        """The answer to one of `QUERIES`, a row at a time."""
        return map(json.loads, self.lines(query, **parameters))

    def lines(self, query: str, **parameters: str | int) -> Iterator[bytes]:
        """The same as it came: a JSON object a line."""
        return _lines(self._ask(query, parameters))


@dataclass(frozen=True, slots=True)
class _StoredRow:
    """A ledger row of the archive, and the source of the message that brought it."""

    source: str
    record: Row


_ROWS = Decoder(_StoredRow)


def _decode(lines: list[bytes]) -> list[_StoredRow]:
    try:
        return _ROWS.decode_lines(b"\n".join(lines))
    except MsgspecError as error:
        raise InvalidRecord(f"a stored row: {error}") from None


def _pair(newest: Any) -> tuple[int, int]:
    offset, part = newest.values() if isinstance(newest, dict) else newest
    return int(offset), int(part)


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    rest: list[bytes] = []
    for chunk in chunks:
        first, *others = chunk.split(b"\n")
        rest.append(first)
        if others:
            yield b"".join(rest)
            yield from others[:-1]
            rest = [others[-1]]
    if any(rest):
        yield b"".join(rest)
