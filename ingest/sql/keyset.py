"""Rows of a table in the order of one of its columns, from a place on; and cursors over several tables."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, TableClause, and_, or_, select

from ingest.sources import UnreadableSource
from ingest.sql.database import Database, Row, Table

MAX_CURSOR_CHARS = 100_000


@dataclass(frozen=True, slots=True)
class Walk:
    """A statement whose rows are read in the order of `by`, then `key`, which no two rows share.

    `by_at` and `key_at` are their places in a row. `by` is a number or a time; both compare as such.
    """

    statement: Select[Any]
    by: ColumnElement[Any]
    key: ColumnElement[Any]
    by_at: int
    key_at: int
    is_time: bool = False

    def pages(
        self, database: Database, since: int | str, until: int | str | None = None
    ) -> Iterator[list[Row]]:
        """Every row with `since <= by`, and `by < until` if it is given."""
        until_that = [] if until is None else [self.by < until]

        def statement_after(last: Row | None) -> Select[Any]:
            place = self.by >= since if last is None else self._after(last)
            return self.statement.where(place, *until_that).order_by(self.by, self.key)

        return database.pages(statement_after)

    def _after(self, last: Row) -> ColumnElement[bool]:
        by_text, key = str(last[self.by_at]), int(str(last[self.key_at]))
        by = by_text if self.is_time else int(by_text)
        # The first comparison alone would do; with it the server finds the place in an index.
        return and_(self.by >= by, or_(self.by > by, self.key > key))


def walk(
    statement: Select[Any],
    columns: Sequence[str],
    by: ColumnElement[Any],
    key: ColumnElement[Any],
    *,
    is_time: bool = False,
) -> Walk:
    """The walk over a statement whose columns have these names."""
    return Walk(statement, by, key, columns.index(str(by.key)), columns.index(str(key.key)), is_time)


def accounts_of(table: Table | None, columns: Sequence[str]) -> TableClause | None:
    """A table beside the deals, if it is there with these columns, of which the first is its key."""
    return table.clause(columns) if table is not None and all(map(table.has, columns[:2])) else None


def joined(
    clause: TableClause, login: str, accounts: TableClause | None
) -> tuple[list[ColumnElement[Any]], FromClause]:
    """The columns of a table and what its account adds; an account without a row adds nothing."""
    own: list[ColumnElement[Any]] = list(clause.c)
    if accounts is None:
        return own, clause
    key, *more = accounts.c
    return [*own, *more], clause.outerjoin(accounts, key == clause.c[login])


def check_stamps(database: Database, clause: TableClause, stamp: str) -> None:
    """Raise `UnreadableSource` where a row has no stamp: it would never be read."""
    column = clause.c[stamp]
    if database.all(select(column).where(column.is_(None)).limit(1)):
        raise UnreadableSource(
            f"table {clause.name} has rows whose {stamp} is NULL; set it to 0, so that they are read"
        )


def cursor_of(places: Mapping[str, int]) -> str:
    """Spell the place reached in each table."""
    return json.dumps(dict(sorted(places.items())), separators=(",", ":"))


def places_of(cursor: str) -> dict[str, int]:
    """Read a cursor; a table that it does not name is read from its beginning."""
    if not cursor:
        return {}
    try:
        places = json.loads(cursor[:MAX_CURSOR_CHARS])
    except ValueError:
        places = None
    if not isinstance(places, dict) or not all(type(place) is int for place in places.values()):
        raise UnreadableSource(
            f"`{cursor[:40]}` is not a cursor of this source; remove the file that holds it, and reading"
            " begins again: what is known already counts once"
        )
    return places
