"""Lists of pages: what somebody asks of one, and a page of it with its order, its search and its way on."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query

from api.paging import MAX_CURSOR_CHARACTERS, decode_cursor, encode_cursor
from api.portal.navigation import Links
from api.problems import Problem
from api.queries.ordered import Asked, Order

MAX_FIND = 100
T = TypeVar("T")


def _asked(
    sort: Annotated[str, Query(max_length=32)] = "",
    order: Order = "desc",
    find: Annotated[str, Query(max_length=MAX_FIND)] = "",
    cursor: Annotated[str, Query(max_length=MAX_CURSOR_CHARACTERS)] = "",
) -> Asked:
    return Asked(sort, order, find.strip(), cursor)


AskedHere = Annotated[Asked, Depends(_asked)]
"""What a page's list is asked for, in its address."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of a list, for `parts.list` as `of`."""

    rows: Sequence[Any]
    asked: Asked
    sorts: Mapping[str, str]
    """By a column's label: its name as `sort`."""
    sort: str
    next: str
    """The address of the next page; "" after the last one."""
    count: int | None = None
    """How many fit what was looked for, where that is known."""

    @property
    def is_part(self) -> bool:
        """Whether there is more of it than stands here: then only the server can order and search it."""
        return bool(self.next or self.asked.cursor or self.asked.find)


def of_query(
    link: Links, asked: Asked, found: Mapping[str, Any], sorts: Mapping[str, str], usual: str
) -> Listed:
    """A page that a query ordered, searched and cut."""
    after = found["next_cursor"]
    return Listed(
        found["items"], asked, sorts, asked.sort or usual, link.again(cursor=after) if after else ""
    )


def of_memory(
    link: Links,
    asked: Asked,
    rows: Iterable[T],
    columns: Mapping[str, Callable[[T], Any]],
    limit: int,
    *,
    key: Callable[[T], str],
    view: Callable[[T], Any] | None = None,
) -> Listed:
    """A page of what is in memory anyway, in its own order unless another one is asked for.

    `columns` give by a column's label what it is ordered and searched by; None comes last, either way. A page
    begins after the row that its cursor names by its `key`, whatever was added before that one since.
    """
    sorts = {label: label.lower().replace(" ", "_") for label in columns}
    by = asked.by({name: label for label, name in sorts.items()}, "")
    wanted = asked.find.casefold()
    found = [row for row in rows if wanted in _text(row, columns)] if wanted else list(rows)
    if by:
        value = next(columns[label] for label, name in sorts.items() if name == by)
        known = [row for row in found if value(row) is not None]
        known.sort(key=value, reverse=asked.order == "desc")
        found = known + [row for row in found if value(row) is None]
    start = _after(asked.cursor, map(key, found))
    shown = found[start : start + limit]
    more = start + limit < len(found)
    return Listed(
        shown if view is None else [view(row) for row in shown],
        asked,
        sorts,
        by,
        link.again(cursor=encode_cursor([key(shown[-1])])) if more else "",
        len(found),
    )


def _after(cursor: str, keys: Iterable[str]) -> int:
    if not cursor:
        return 0
    (last,) = decode_cursor(cursor, str)
    for place, key in enumerate(keys, 1):
        if key == last:
            return place
    raise Problem(
        400,
        "The row that this page begins after is in the list no more. Open the list anew.",
        code="invalid_cursor",
    )


def _text(row: T, columns: Mapping[str, Callable[[T], Any]]) -> str:
    return " ".join(str(value(row)) for value in columns.values()).casefold()
