"""Lists are bounded: a limit, and an opaque cursor that continues where the last page ended."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Query

from api.ledger import Row
from api.parameters import is_text
from api.problems import Problem

T = TypeVar("T")
MAX_LIMIT = 1_000
MAX_CURSOR_CHARACTERS = 2_000

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Rows of one page.")]
Cursor = Annotated[
    str,
    Query(
        max_length=MAX_CURSOR_CHARACTERS, description="`next_cursor` of the page before; empty: the first."
    ),
]


def encode_cursor(key: Sequence[int | str]) -> str:
    """Write the sort key of a page's last row as the cursor of the next page."""
    return urlsafe_b64encode(json.dumps(list(key)).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *kinds: type) -> list[Any]:
    """Read a cursor whose parts are of these kinds; anything else is the caller's mistake."""
    try:
        parts = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        fits = [type(part) for part in parts] == list(kinds) and all(map(_is_key, parts))
    except (ValueError, TypeError, RecursionError):
        fits = False
    if not fits:
        raise strange_cursor()
    return list(parts)


def strange_cursor() -> Problem:
    """What is said of a cursor of another list, or of the same one in another order."""
    return Problem(
        400, "The cursor is not one of this list. Start again without `cursor`.", code="invalid_cursor"
    )


def decode_place(cursor: str, size: int) -> list[str]:
    """Read a cursor of so many texts, by which its list is ordered; empty is before all."""
    return decode_cursor(cursor, *[str] * size) if cursor else []


def _is_key(part: int | str) -> bool:
    """Whether it may be a part of a sort key: a number of 64 bits that is not negative, or text."""
    return is_text(part) if isinstance(part, str) else 0 <= part < 2**63


def page_of(
    found: Sequence[T], limit: int, cursor: str, key: Callable[[T], str]
) -> tuple[list[T], str | None]:
    """One page of a list that is in memory, and the cursor of the next.

    It begins after the row that the cursor names, whatever came before that one since; once that one is gone,
    where it stood.
    """
    start = 0
    if cursor:
        place, last = decode_cursor(cursor, int, str)
        start = next((number for number, one in enumerate(found, 1) if key(one) == last), place)
    kept = list(found[start : start + limit])
    more = start + limit < len(found)
    return kept, encode_cursor([start + limit, key(kept[-1])]) if more and kept else None


def page(rows: list[Row], limit: int, key: Callable[[Row], Sequence[int | str]]) -> dict[str, Any]:
    """Cut `limit + 1` rows read to one page; the extra row tells that another page follows."""
    kept = rows[:limit]
    more = len(rows) > limit
    return {"items": kept, "next_cursor": encode_cursor(key(kept[-1])) if more and kept else None}
