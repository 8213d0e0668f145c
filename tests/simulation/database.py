"""What the sink talks to: a database that keeps one row for each id, and a consumer over the logs."""

import itertools
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import infra.clickhouse
from schemas.positions import Position, unseen
from schemas.topics import SOURCE_HEADER
from streams.partition import Message
from streams.table_rows import ORIGIN, Rows
from tests.simulation.world import COUNTS, Finding, Place, World

Row = dict[str, Any]
MAY_CHANGE = {
    "rejections",
    "deals",
    "clients",
    "partners",
    "periods",
    "books",
    "moved_deals",
    "day_marks",
    "sink_positions",
}
"""Tables in which a later record may say something else under the same id; in the others it never does."""


@cache
def keys() -> dict[str, tuple[str, ...]]:
    """Table → the columns that identify a row, as the migrations say."""
    folder = Path(infra.clickhouse.__file__).parent
    sql = "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.sql")))
    found = re.findall(
        r"CREATE TABLE (?:IF NOT EXISTS )?(\w+) \((?:[^;]*?)\)\s+ENGINE = \w+(?:\(\w+\))? ORDER BY ([^;]+);",
        sql,
        re.S,
    )
    found += re.findall(r"ALTER TABLE (\w+) [^;]*MODIFY ORDER BY ([^;]+);", sql)
    return {table: tuple(re.findall(r"\w+", columns)) for table, columns in found}


class Lost(Exception):
    """The database did not answer; it may or may not have stored."""


class Killed(BaseException):
    """The sink's process was killed."""


class Database:
    """Stands in for ClickHouse: `ReplacingMergeTree` tables, and failures before and after each insert."""

    def __init__(self, fail: Callable[[str], None]) -> None:
        self.tables: dict[str, dict[tuple[str, ...], Row]] = defaultdict(dict)
        self._fail = fail
        """Called around every insert; raises `Lost` or `Killed` when the scheduler wants it."""
        self._clock = itertools.count(1)
        self._revisions: set[tuple[str, date]] = set()
        """Key and day of every revision of a deal that was stored."""

    def raw_insert(self, table: str, *, insert_block: bytes, fmt: str, settings: object) -> None:
        """Store lines of JSON, as the sink writes records that have a column for every field."""
        self._store(table, [json.loads(line) for line in insert_block.split(b"\n")])

    def insert(self, table: str, data: list[Any], *, column_names: Sequence[str], **_how: object) -> None:
        """Store rows."""
        self._store(table, [dict(zip(column_names, row, strict=True)) for row in data])

    def query(self, sql: str, parameters: dict[str, Any] | None = None) -> SimpleNamespace:
        """Answer the sink's questions: how far each partition is stored, and which days a batch changes."""
        told = parameters or {}
        if "now64" in sql:
            return SimpleNamespace(result_rows=[(next(self._clock),)])
        if "server" in told:
            return SimpleNamespace(result_rows=[(self._newest(told["server"]),)])
        return SimpleNamespace(
            result_rows=self._found(re.findall(r"FROM (\w+)", sql), set(told.get("ids", [])))
        )

    def _newest(self, server: str) -> int:
        """The largest number that a deal's id of this server begins with."""
        ids = [key.removeprefix(f"{server}|") for key, _ in self._revisions if key.startswith(f"{server}|")]
        return max((int(found[0]) for one in ids if (found := re.match("[0-9]+", one))), default=0)

    def _found(self, asked: list[str], ids: set[str]) -> list[tuple[Any, ...]]:
        rows = self.tables[asked[0]].values()
        match asked:
            case ["sink_positions"]:
                columns = ("topic", "partition", "next_offset", "sources")
                return [tuple(row[name] for name in columns) for row in rows]
            case ["transfers", "transfer_keys"]:
                return [(_day(row), row["caused_by"]) for row in rows if row["transfer_id"] in ids]
            case ["day_marks"]:
                newest = max((row["mark"] for row in rows), default=0)
                return [(newest, [row["day"] for row in rows if row["is_open"]])]
            case ["deal_revisions"]:
                return [(key, day) for key, day in self._revisions if key in ids]
            case ["moved_deals"]:
                return [(row["deal_key"],) for row in rows]
            case ["rejections", "moved_deals"]:
                moved = ids & {row["deal_key"] for row in self.tables["moved_deals"].values()}
                return [(_day(row),) for row in rows if row["deal_key"] in moved]
        raise AssertionError(f"nothing is known of {asked}")

    def _store(self, table: str, rows: Iterable[Row]) -> None:
        self._fail(f"before {table}")
        for row in rows:
            put(self.tables[table], table, row)
            if table == "deals":
                self._revisions.add((f"{row['server']}|{row['deal_id']}", _day(row)))
        self._fail(f"after {table}")


def _day(row: Row) -> date:
    return datetime.fromisoformat(row["occurred_at"]).date()


def put(rows: dict[tuple[str, ...], Row], table: str, row: Row) -> None:
    """Keep the row of the highest version under its id, as `ReplacingMergeTree` does under `FINAL`."""
    if table == "deals":
        row = row | {"deal_key": f"{row['server']}|{row['deal_id']}"}
    version = {"sink_positions": "next_offset", "day_marks": "mark"}.get(table, "_offset")
    key = tuple(str(row.get(column, "")) for column in keys()[table])
    known = rows.get(key)
    if known is not None and table not in MAY_CHANGE and bare(known) != bare(row):
        raise Finding(f"{table}: {key} says {bare(known)} and then {bare(row)}")
    if known is None or known.get(version, 0) <= row.get(version, 0):
        rows[key] = row


def bare(row: Row) -> Row:
    """A row without the place it was read from: a message sent again stands at another one."""
    return {column: value for column, value in row.items() if column not in ORIGIN}


def rows_of(logs: dict[Place, list[Message]]) -> dict[str, dict[tuple[str, ...], Row]]:
    """The rows that topics make, by the sink's own reading of them but stored in one go."""
    database = Database(lambda _: None)
    for (topic, partition), log in logs.items():
        rows, known = Rows(), dict[str, Position]()
        for offset, message in enumerate(log):
            new: bytes | None = message.value
            if message.source:
                origin, known[origin], new = unseen(message.source, message.value, known)
            rows.add(topic, partition, offset, message.value, message.source, new or b"")
        rows.store(database)  # type: ignore[arg-type] # stands in for the client
    return database.tables


class Consumer:
    """The part of confluent_kafka's consumer the sink uses, over the logs of a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._next: dict[Place, int] = {}

    def list_topics(self, *, timeout: float) -> SimpleNamespace:
        """Topics and their partitions."""
        told = {name: SimpleNamespace(partitions=range(count)) for name, count in COUNTS.items()}
        return SimpleNamespace(topics=told)

    def assign(self, partitions: Iterable[Any]) -> None:
        """Read from these offsets on."""
        self._next = {(place.topic, place.partition): place.offset for place in partitions}

    def consume(self, _count: int, _timeout: float) -> list["Delivered"]:
        """Some of what is there, in order within a partition."""
        found: list[Delivered] = []
        for place, start in self._next.items():
            log = self._world.logs[place]
            if start < len(log):
                end = min(len(log), start + self._world.chance.randint(0, 6))
                found += [Delivered(place, offset, log[offset]) for offset in range(start, end)]
                self._next[place] = end
        return found


class Delivered:
    """A message as confluent_kafka gives it."""

    def __init__(self, place: Place, offset: int, message: Message) -> None:
        self._place, self._offset, self._message = place, offset, message

    def error(self) -> None:
        """None: it was delivered."""

    def topic(self) -> str:
        """Its topic."""
        return self._place[0]

    def partition(self) -> int:
        """Its partition."""
        return self._place[1]

    def offset(self) -> int:
        """Its place in the log."""
        return self._offset

    def value(self) -> bytes:
        """Its lines."""
        return self._message.value

    def headers(self) -> list[tuple[str, bytes]] | None:
        """The source position, of what a stage sent."""
        source = self._message.source
        return [(SOURCE_HEADER, source.encode())] if source else None
