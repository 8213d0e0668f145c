"""JSON from outside, bounded and exact: what parses is not larger, deeper or other than it looks."""

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any

from ingest.sources import UnreadableSource

MAX_JSON_BYTES = 64_000_000
"""A deal of the Web API is 900 bytes, one of a terminal 400: 70,000 to 160,000 deals."""
MAX_OPENED = 1_000_000
"""Objects and arrays of one text; each costs memory however short it is."""
MAX_COMMAS = 8_000_000
MAX_INTEGER_CHARS = 20

_BACKSLASH = re.compile(r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})|\\')


class RepeatedKeys(dict[str, object]):
    """A JSON object that says a field twice: nobody knows which of the two counts."""


def read_json(raw: bytes, name: str) -> object:
    """Parse JSON text called `name`, numbers with a point as Decimal; raise `UnreadableSource`.

    MT5 servers forget to escape backslashes in comments and group names, so what does not parse is
    healed as MetaQuotes' own decoder does: backslashes are doubled. Bytes that are not UTF-8 become
    U+FFFD, so that one comment does not cost its neighbours.
    """
    check_bounds(raw, name)
    text = raw.decode("utf-8-sig", "replace")
    first: ValueError | None = None
    for spelling in (str, _healed, lambda text: text.replace("\\", "\\\\")):
        try:
            found = _parse(spelling(text))
        except ValueError as error:
            first = first or error
            continue
        return _checked(found, name)
    place = f", line {first.lineno} column {first.colno}" if isinstance(first, json.JSONDecodeError) else ""
    raise UnreadableSource(f"{name} is not whole JSON{place}; it may be cut off. Save it again")


def check_bounds(raw: bytes, name: str) -> None:
    """Raise `UnreadableSource` for a text that would take too much memory to parse."""
    opened = raw.count(b"{") + raw.count(b"[")
    if len(raw) > MAX_JSON_BYTES or opened > MAX_OPENED or raw.count(b",") > MAX_COMMAS:
        raise UnreadableSource(
            f"{name} has more than {MAX_JSON_BYTES:,} bytes, {MAX_OPENED:,} objects or {MAX_COMMAS:,}"
            " values; take a shorter period"
        )


def _parse(text: str) -> object:
    try:
        return json.loads(
            text,
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=str,
            object_pairs_hook=_object,
            strict=False,
        )
    except RecursionError:
        raise ValueError("brackets in brackets without end") from None


def _decimal(text: str) -> Decimal | str:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent of 20 digits: text, which no field takes for a number
        return text


def _integer(text: str) -> int | str:
    return int(text) if len(text) <= MAX_INTEGER_CHARS else text


def _object(pairs: list[tuple[str, Any]]) -> dict[str, object]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else RepeatedKeys(found)


def _checked(found: object, name: str) -> object:
    """An object around the records that names a list twice would lose all of the first."""
    if isinstance(found, RepeatedKeys) and any(isinstance(inner, list) for inner in found.values()):
        raise UnreadableSource(f"{name} names a list of records twice, and only one can be read; join them")
    return found


def _healed(text: str) -> str:
    return _BACKSLASH.sub(_doubled, text)


def _doubled(found: re.Match[str]) -> str:
    return found[0] if len(found[0]) > 1 else "\\\\"
