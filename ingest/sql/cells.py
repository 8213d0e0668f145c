"""Cells of a database as its text to exact values: doubles without their noise, empty times as none."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Context, Decimal, InvalidOperation
from functools import lru_cache
from typing import Literal

from ingest.server_time import MIN_YEAR

Family = Literal["number", "whole", "text", "time"]
"""What a column's type must be for its text to be exact: see `ingest.sql.database`."""
ToNumber = Callable[[str | None], str | Decimal | None]
"""Reads a number; what is none is passed on as it is, to be refused with its name."""

_DOUBLE = Context(prec=15)
"""A double holds any 15 digits; what a server spells beyond them (1.1403699999999999) is noise."""
_ONE = Decimal(1)
_REMEMBERED = 65_536


def number_readers(types: Mapping[str, str], names: Iterable[str]) -> dict[str, ToNumber]:
    """How to read each of these columns, by the types of a table's columns."""
    return {
        name: double if types[name.lower()] == "double" else decimal
        for name in names
        if name.lower() in types
    }


@lru_cache(_REMEMBERED)
def double(text: str | None) -> str | Decimal | None:
    """The number that a double stands for."""
    number = decimal(text)
    if not isinstance(number, Decimal) or not number.is_finite():
        return text
    number = number.normalize(_DOUBLE)
    exponent = number.as_tuple().exponent
    return number.quantize(_ONE) if isinstance(exponent, int) and 0 < exponent < _DOUBLE.prec else number


@lru_cache(_REMEMBERED)
def decimal(text: str | None) -> str | Decimal | None:
    """A number that is exact as it stands."""
    try:
        return None if text is None else Decimal(text)
    except InvalidOperation:
        return text


def wall_clock(text: str | None) -> datetime | None:
    """A server's own time; None where the platform writes 1970 or 0000 for none."""
    if text is None or text < str(MIN_YEAR):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
