"""CSV that a spreadsheet shows and never runs."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from commission.money import plain

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What makes a spreadsheet read a cell as a formula, the full-width forms included."""

Cell = str | int | bool | Decimal | datetime | None


def to_csv(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """Write UTF-8 with `\\r\\n` line ends; the same rows always give the same bytes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([to_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def to_cell(value: Cell) -> str:
    """Text that could be a formula gets an apostrophe in front; numbers are numbers, also negative ones."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.isoformat()
        case Decimal():
            return plain(value)
        case str():
            return neutralise(value)
        case _:
            return str(value)


def neutralise(text: str) -> str:
    """Defuse a formula, also one hidden behind spaces."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) or text.lstrip().startswith(FORMULA_STARTS) else text
