"""The ledger as the API sees it: a small pool of ClickHouse clients, each used by one thread at a time."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime
from queue import Empty, LifoQueue
from threading import Lock
from typing import Any, Literal

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from api.kept_answers import KeptAnswers
from api.long_lists import in_parts

MAX_CLIENTS = 8
"""Queries that run at once; more wait for a client."""
CLIENT_WAIT_S = 30
"""How long a query waits for a client before it is refused."""
MAX_QUERY_S = 30
MAX_QUERY_BYTES = 1_500_000_000
"""Of memory; a year that has no sums yet would take more, and is refused until it has."""
SETTINGS = {
    "max_execution_time": MAX_QUERY_S,
    "max_memory_usage": MAX_QUERY_BYTES,
    "do_not_merge_across_partitions_select_final": 1,
    "priority": 1,
}
"""Rows of one id are in one month, so that `FINAL` need not look for them in another. While a report is asked
for, the building of sums rests."""

LONG = SETTINGS | {
    "max_execution_time": 900,
    "max_threads": 1,
    "priority": 0,
    "max_bytes_before_external_group_by": MAX_QUERY_BYTES // 3,
    "max_bytes_before_external_sort": MAX_QUERY_BYTES // 3,
}
"""Of files made in the background: reports come first, and what does not fit in memory goes to disk."""

FileKind = Literal["Arrow", "Parquet"]
FILE_SETTINGS = {"output_format_arrow_string_as_string": 1, "output_format_parquet_string_as_string": 1}

Row = dict[str, Any]


class LedgerUnavailable(RuntimeError):
    """The ledger cannot be read now; the message holds no SQL and no address."""


class TooManyRows(RuntimeError):
    """A file would have more rows than it may."""


def everywhere(cluster: str, table: str) -> str:
    """A table of `system`, with a cluster that of one replica of each shard: `shardNum()` is a row's."""
    return f"cluster('{cluster}', system.{table})" if cluster else f"system.{table}"


class Ledger:
    """Reads over `connect`, which opens one more client on the same database.

    SQL is a constant of this room; values travel beside it as server-side parameters only.
    """

    hides_clients = False
    """Whether its rows name clients by pseudonyms: then nothing may be searched by who they are."""

    cluster = ""
    """Whose shards keep its rows, if there is one."""

    def __init__(self, connect: Callable[[], Client], *, cluster: str = "") -> None:
        self._connect, self.cluster = connect, cluster
        self._idle: LifoQueue[Client] = LifoQueue()
        self._opened = 0
        self._lock = Lock()
        self._kept = KeptAnswers()

    def rows(self, sql: str, **values: object) -> list[Row]:
        """Run one query and give its rows by column name; times are aware, in UTC."""
        sql, told = in_parts(sql, values)
        with self._client() as client:
            result = client.query(sql, parameters=told, settings=SETTINGS)
        found = result.named_results()
        if not any("DateTime" in kind.name for kind in result.column_types):
            return list(found)
        return [{name: _aware(value) for name, value in row.items()} for row in found]

    def remembered(self, sql: str, **values: object) -> list[Row]:
        """The same of a question whose answer never changes, such as sums of builds that it names."""
        key = KeptAnswers.key(sql, values)
        found = self._kept.get(key)
        if found is None:
            found = self.rows(sql, **values)
            self._kept.keep(key, found)
        return found

    def row(self, sql: str, **values: object) -> Row:
        """Run a query that gives exactly one row, such as an aggregate without GROUP BY."""
        (row,) = self.rows(sql, **values)
        return row

    def blocks(self, sql: str, **values: object) -> Iterator[list[Row]]:
        """The rows of a query some thousands at a time, as they are read, on a client of its own."""
        return self._blocks(sql, SETTINGS, values)

    def long_blocks(self, sql: str, **values: object) -> Iterator[list[Row]]:
        """The same for a file that nobody waits for: with more time, and less of everything else."""
        return self._blocks(sql, LONG, values)

    def _blocks(self, sql: str, settings: dict[str, int], values: dict[str, object]) -> Iterator[list[Row]]:
        sql, told = in_parts(sql, values)
        with self._client() as client:
            found = client.query_row_block_stream(sql, parameters=told, settings=settings)
            names: Sequence[str] = found.source.column_names  # type: ignore[union-attr] # a result has them
            with found:
                for block in found:
                    yield [dict(zip(names, map(_aware, row), strict=True)) for row in block]

    def file(self, sql: str, kind: FileKind, max_rows: int, **values: object) -> bytes:
        """The rows of one query as a file that the ledger writes; more than so many are `TooManyRows`."""
        limits = {"max_result_rows": max_rows, "result_overflow_mode": "throw"}
        sql, told = in_parts(sql, values)
        with self._client() as client:
            try:
                return client.raw_query(
                    sql, parameters=told, settings=SETTINGS | FILE_SETTINGS | limits, fmt=kind
                )
            except ClickHouseError as error:
                if "TOO_MANY_ROWS_OR_BYTES" in str(error):
                    raise TooManyRows(f"more than {max_rows:,} rows") from None
                raise

    def close(self) -> None:
        """Close the idle clients; one in use is closed by whoever started its thread."""
        while True:
            try:
                self._idle.get_nowait().close()
            except Empty:
                return

    @contextmanager
    def _client(self) -> Iterator[Client]:
        client = self._borrow()
        try:
            yield client
        except ClickHouseError as error:
            raise LedgerUnavailable("the ledger did not answer the query") from error
        finally:
            self._idle.put(client)

    def _borrow(self) -> Client:
        try:
            return self._idle.get_nowait()
        except Empty:
            pass
        with self._lock:
            may_open = self._opened < MAX_CLIENTS
            self._opened += may_open
        if may_open:
            return self._open()
        try:
            return self._idle.get(timeout=CLIENT_WAIT_S)
        except Empty:
            raise LedgerUnavailable(f"no client of the ledger was free for {CLIENT_WAIT_S} s") from None

    def _open(self) -> Client:
        try:
            return self._connect()
        except Exception as error:
            with self._lock:
                self._opened -= 1
            raise LedgerUnavailable("the ledger cannot be opened") from error


class OneReading(Ledger):
    """A ledger for one page: what is asked again is not read again, and all parts of the page agree on it.

    Parts may ask side by side; who asks what another is asking waits for that answer.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.hides_clients, self.cluster = ledger.hides_clients, ledger.cluster
        self._known: dict[tuple[str, str], Future[list[Row]]] = {}
        self._lock = Lock()

    def rows(self, sql: str, **values: object) -> list[Row]:
        """As the ledger gives them, or gave them before."""
        return self._once(self._ledger.rows, sql, values)

    def remembered(self, sql: str, **values: object) -> list[Row]:
        """As the ledger gives or remembers them."""
        return self._once(self._ledger.remembered, sql, values)

    def _once(self, ask: Callable[..., list[Row]], sql: str, values: dict[str, object]) -> list[Row]:
        asked = sql, repr(values)
        with self._lock:
            is_first = asked not in self._known
            answer = self._known.setdefault(asked, Future())
        if is_first:
            try:
                answer.set_result(ask(sql, **values))
            except BaseException as error:
                answer.set_exception(error)
        return [dict(row) for row in answer.result()]


def _aware(value: Any) -> Any:
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value
