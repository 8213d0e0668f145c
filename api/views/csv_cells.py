"""CSV that a spreadsheet shows and never runs."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from unicodedata import category

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
    """Defuse a formula, also one hidden behind spaces or characters that no spreadsheet shows."""
    shown = next((n for n, character in enumerate(text) if not _is_unseen(character)), len(text))
    is_formula = text.startswith(FORMULA_STARTS) or text[shown:].startswith(FORMULA_STARTS)
    return f"'{text}" if is_formula else text


def _is_unseen(character: str) -> bool:
    return character.isspace() or category(character)[0] == "C"
