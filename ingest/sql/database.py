"""A broker's own database, read only: streamed page by page, every cell as the text the server sends.

Text is exact: a driver's float is not. Nothing here waits for ever, and nothing here writes.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pymysql.converters
from sqlalchemy import URL, ColumnClause, Select, TableClause, create_engine, event, text
from sqlalchemy import column as sql_column
from sqlalchemy import table as sql_table
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

from ingest.sources import UnreadableSource
from ingest.sql.cells import Family
from schemas.errors import Unavailable

Row = Sequence[str | None]
"""A row's cells, in the order of the statement's columns."""

PAGE_ROWS = 5_000
STATEMENT_ROWS = 100_000
"""Rows one statement may stream: enough that a table without a useful index is not sorted too often,
few enough that the broker's server holds no snapshot for long."""
CONNECT_S_MAX = 10
STATEMENT_S_MAX = 300
ATTEMPTS = 4
"""Times a lost connection is made anew, at the place reached, before the source counts as unavailable."""
FIRST_DELAY_S = 0.2
MAX_COLUMNS = 20_000
"""Columns of all tables looked at: some 500 yearly copies."""
MAX_SAID_CHARS = 200

_WHOLE = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint"})
_TYPES: Mapping[Family, frozenset[str]] = {
    "whole": _WHOLE,
    "number": _WHOLE | {"double", "decimal"},
    "text": frozenset({"char", "varchar", "tinytext", "text", "mediumtext", "longtext"}),
    "time": frozenset({"datetime"}),
}
_NOT_EXACT = {
    "float": "a FLOAT has 6 digits, so amounts and prices in it are already wrong; make it DOUBLE",
    "timestamp": "a TIMESTAMP is shown in a session's zone, a server's own clock has none; make it DATETIME",
}
_REFUSED = frozenset({1044, 1045, 1049, 1142, 1143, 1227, 1698, 3118})
"""Errors that waiting does not cure: account, password, rights, database."""
_TOO_SLOW = frozenset({1969, 3024})


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the database is, and as whom to read it; `tls_ca` names the file of its authority."""

    host: str
    database: str
    user: str
    password: str = field(repr=False)
    port: int = 3306
    tls_ca: str = ""

    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.database}"


@dataclass(frozen=True, slots=True)
class Table:
    """A table as the server spells it; `types` are its columns' types, by lower-case name."""

    name: str
    types: Mapping[str, str]
    names: Mapping[str, str]
    nullable: frozenset[str]

    def has(self, column: str) -> bool:
        """Tell whether there is such a column, however it is spelled."""
        return column.lower() in self.types

    def clause(self, names: Iterable[str]) -> TableClause:
        """The table for statements, with those of the columns that it has, under the names given here."""
        return sql_table(self.name, *(self._column(name) for name in names if self.has(name)))

    def _column(self, name: str) -> ColumnClause[Any]:
        column: ColumnClause[Any] = sql_column(self.names[name.lower()])
        column.key = name
        return column

    def check(self, wanted: Mapping[str, Family], needed: Sequence[str]) -> None:
        """Raise `UnreadableSource` for a needed column that is missing, or one whose text is not exact."""
        if missing := [name for name in needed if not self.has(name)]:
            raise UnreadableSource(
                f"table {self.name} has no column {', '.join(missing)}; let the platform export it"
            )
        for name, family in wanted.items():
            kind = self.types.get(name.lower())
            if kind is not None and kind not in _TYPES[family]:
                why = _NOT_EXACT.get(kind, f"known are {', '.join(sorted(_TYPES[family]))}")
                raise UnreadableSource(f"column {name} of table {self.name} is a {kind.upper()}: {why}")


class Now(NamedTuple):
    """The time at a server, and what its own clock shows."""

    utc: datetime
    local: datetime


class Lost(Unavailable):
    """The connection broke; what was read until then is right, and reading can go on from there."""


class Database:
    """A connection, made when needed and made anew when it broke."""

    def __init__(
        self,
        address: Address,
        *,
        statement_s_max: int = STATEMENT_S_MAX,
        statement_rows: int = STATEMENT_ROWS,
        page_rows: int = PAGE_ROWS,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._address = address
        self._statement_s_max = statement_s_max
        self._statement_rows, self._page_rows = statement_rows, page_rows
        self._sleep = sleep
        self._engine = _engine(address, statement_s_max)

    def tables(self, prefix: str) -> dict[str, Table]:
        """The tables whose names start with `prefix`, by lower-case name, with their columns."""
        statement = text(
            "SELECT TABLE_NAME, COLUMN_NAME, LOWER(DATA_TYPE), IS_NULLABLE FROM information_schema.COLUMNS"
            " WHERE TABLE_SCHEMA = DATABASE() AND LOWER(LEFT(TABLE_NAME, :length)) = :prefix"
            " ORDER BY TABLE_NAME, ORDINAL_POSITION LIMIT :most"
        ).bindparams(length=len(prefix), prefix=prefix, most=MAX_COLUMNS)
        found: dict[str, list[Row]] = {}
        for row in self._retried(lambda: self._all(statement)):
            found.setdefault(str(row[0]), []).append(row)
        return {name.lower(): _table(name, columns) for name, columns in found.items()}

    def now(self) -> Now:
        """What time it is at the server."""
        ((utc, local),) = self._retried(lambda: self._all(text("SELECT UTC_TIMESTAMP(6), NOW(6)")))
        return Now(datetime.fromisoformat(str(utc)).replace(tzinfo=UTC), datetime.fromisoformat(str(local)))

    def all(self, statement: Select[Any]) -> list[Row]:
        """Every row of a statement that is known to be small."""
        return self._retried(lambda: self._all(statement))

    def pages(self, statement_after: Callable[[Row | None], Select[Any]]) -> Iterator[list[Row]]:
        """Stream everything in order, a page at a time.

        `statement_after` makes the statement for the rows after a given one, in an order that is total;
        it is limited here. A lost connection is made anew and goes on after the last row; raise
        `Unavailable` when that does not help.
        """
        last: Row | None = None
        failures = 0
        while True:
            rows = 0
            try:
                for page in self._stream(statement_after(last).limit(self._statement_rows)):
                    last, rows, failures = page[-1], rows + len(page), 0
                    yield page
            except Lost as lost:
                failures += 1
                self._pause(failures, lost)
            else:
                if rows < self._statement_rows:
                    return

    def close(self) -> None:
        """Give the connection back."""
        self._engine.dispose()

    def _pause(self, failures: int, lost: Lost) -> None:
        """Wait before the next attempt, or give up."""
        if failures >= ATTEMPTS:
            raise lost
        self._sleep(FIRST_DELAY_S * 2 ** (failures - 1))

    def _retried(self, ask: Callable[[], list[Row]]) -> list[Row]:
        failures = 0
        while True:
            try:
                return ask()
            except Lost as lost:
                failures += 1
                self._pause(failures, lost)

    def _all(self, statement: Any) -> list[Row]:
        with self._connection() as connection:
            return list(connection.execute(statement))

    def _stream(self, statement: Select[Any]) -> Iterator[list[Row]]:
        with self._connection() as connection:
            streamed = connection.execution_options(stream_results=True, max_row_buffer=self._page_rows)
            result = streamed.execute(statement)
            cursor = result.cursor
            try:
                while page := result.fetchmany(self._page_rows):
                    yield list(page)
            except BaseException:
                _leave_unread(cursor)
                connection.invalidate()
                raise

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        """A connection whose failures are told in a sentence without the statement and the password."""
        try:
            with self._engine.connect() as connection:
                yield connection
        except (DBAPIError, pymysql.err.Error, OSError) as error:
            raise self._told(error) from None

    def _told(self, error: Exception) -> Exception:
        original = error.orig if isinstance(error, DBAPIError) else error
        arguments = original.args if original is not None else ()
        code = arguments[0] if arguments and isinstance(arguments[0], int) else 0
        said = str(arguments[-1] if arguments else type(original).__name__)[:MAX_SAID_CHARS]
        where = f"the database {self._address}"
        if code in _REFUSED:
            return UnreadableSource(f"{where} refuses: {said}. Check user, password, rights and name")
        if code in _TOO_SLOW:
            return Unavailable(
                f"{where} took longer than {self._statement_s_max} s for a statement; give the column of"
                " a row's last change an index"
            )
        if isinstance(original, (pymysql.err.ProgrammingError, pymysql.err.DataError)):
            return UnreadableSource(f"{where}: {said}")
        return Lost(f"{where} cannot be read: {said}")


def _engine(address: Address, statement_s_max: int) -> Engine:
    url = URL.create(
        "mysql+pymysql",
        username=address.user,
        password=address.password,
        host=address.host,
        port=address.port,
        database=address.database,
        query={"charset": "utf8mb4"},
    )
    arguments: dict[str, Any] = {
        # Only encoders: without decoders every cell stays the text that the server sent.
        "conv": pymysql.converters.encoders,
        "connect_timeout": CONNECT_S_MAX,
        "read_timeout": statement_s_max + CONNECT_S_MAX,
        "write_timeout": CONNECT_S_MAX,
    }
    if address.tls_ca:
        arguments["ssl"] = {"ca": address.tls_ca, "check_hostname": True}
    engine = create_engine(
        url,
        connect_args=arguments,
        isolation_level="AUTOCOMMIT",
        pool_size=1,
        max_overflow=1,  # for small questions while rows are streamed
        pool_pre_ping=True,
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def _settle(connection: Any, _: object) -> None:
        is_mariadb = "mariadb" in str(connection.get_server_info()).lower()
        limit = (
            f"max_statement_time = {statement_s_max}"
            if is_mariadb
            else f"max_execution_time = {statement_s_max * 1000}"
        )
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION READ ONLY")
            cursor.execute(f"SET SESSION net_write_timeout = {statement_s_max}, {limit}")

    return engine


def _leave_unread(cursor: object) -> None:
    """Keep the driver from reading the rest of a result that is dropped.

    Its destructor would read on, only to throw the rows away, or trip over a connection that is gone.
    """
    if (unread := getattr(cursor, "_result", None)) is not None:
        unread.unbuffered_active = False


def _table(name: str, columns: Sequence[Row]) -> Table:
    return Table(
        name,
        types={str(column).lower(): str(kind) for _, column, kind, _ in columns},
        names={str(column).lower(): str(column) for _, column, _, _ in columns},
        nullable=frozenset(str(column).lower() for _, column, _, null in columns if null == "YES"),
    )
