"""What the rows of an MT4 statement are, told by what stands in them: brokers and languages change the words.

A ticket's row begins with its number, a time and a type (`buy`, `balance`), and these are written alike in
every template. Headings, banners and sums are what is left.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Literal

from ingest.formats.cells import KINDS
from ingest.formats.grid import GridRow
from ingest.formats.xlsx import counts_from_1904, xlsx_rows

TableKind = Literal["closed", "open", "working", "after", "unknown"]

BANNERS: dict[str, TableKind] = {
    "Closed Transactions:": "closed",
    "Open Trades:": "open",
    "Working Orders:": "working",
    "Summary:": "after",
    "Details:": "after",
}
NOTHING = "No transactions"
MIN_HEADINGS = 8
MIN_RECORD_CELLS = 10
"""A ticket's row fills eleven cells or more; sums and summaries eight at most."""

_TIME = re.compile(r"[0-9]{4}([.-])[0-9]{2}\1[0-9]{2} [0-9]{2}:[0-9]{2}(?::[0-9]{2})?")
_FIRST_DAY = datetime(1899, 12, 30)  # noqa: DTZ001 - a server's wall clock has no zone
_FIRST_DAY_OF_MACS = datetime(1904, 1, 1)  # noqa: DTZ001 - the same
_DAYS = re.compile(r"[3-7][0-9]{4}(?:\.[0-9]{1,12})?")
_TIME_COLUMNS = (1, 8)
_NUMBER = re.compile(r"[0-9]{1,20}")
_LABEL = re.compile(r"[^\W\d_]{2}.{0,60}[:\uff1a]", re.DOTALL)
_PENDING = re.compile(r"(?:buy|sell) (?:limit|stop)")
_SIDES = frozenset({"buy", "sell"})
_CASH = frozenset(name for name, (_, side) in KINDS.items() if side is None)


@dataclass(slots=True)
class Table:
    """One section: what its banner says it is, its headings if it has any, the rows under them."""

    kind: TableKind = "unknown"
    headings: GridRow | None = None
    rows: list[GridRow] = field(default_factory=list)


def split_tables(rows: Iterable[GridRow]) -> tuple[list[GridRow], list[Table]]:
    """Part a statement's rows into those above its first table, which tell the account, and its tables."""
    top: list[GridRow] = []
    tables: list[Table] = []
    for row in rows:
        kind = _banner(row)
        if kind == "unknown" and not tables:
            kind = None  # a broker's name above the account
        if kind is not None:
            tables.append(Table(kind))
        elif is_headings(row):
            if not tables or tables[-1].headings or tables[-1].rows:
                tables.append(Table())
            tables[-1].headings = row
        elif tables or begins_ticket(row.cells):
            if not tables:
                tables.append(Table())
            tables[-1].rows.append(row)
        else:
            top.append(row)
    return top, tables


def is_statement(rows: Sequence[GridRow]) -> bool:
    """Tell an MT4 statement by its beginning: a ticket's row, or the banner above closed trades."""
    return any(
        begins_ticket(row.cells) or BANNERS.get(_only_cell(row)) == "closed" or _only_cell(row) == NOTHING
        for row in rows
    )


def workbook_rows(path: Path) -> list[GridRow]:
    """The rows of a statement that was saved as a workbook, with its times as MetaTrader writes them.

    Where a spreadsheet takes `2025.06.02 10:00:00` for a date, it keeps the days since 1899, or 1904.
    """
    rows = xlsx_rows(path)
    first_day = _FIRST_DAY_OF_MACS if counts_from_1904(path) else _FIRST_DAY
    return [replace(row, cells=tuple(_with_times(row.cells, first_day))) for row in rows]


def _with_times(cells: Sequence[str], first_day: datetime) -> Iterator[str]:
    is_ticket = _NUMBER.fullmatch(cells[0] if cells else "") is not None and is_type("".join(cells[2:3]))
    for place, cell in enumerate(cells):
        is_day = is_ticket and place in _TIME_COLUMNS and _DAYS.fullmatch(cell) is not None
        yield _to_time(Decimal(cell), first_day) if is_day else cell


def _to_time(days: Decimal, first_day: datetime) -> str:
    at = first_day + timedelta(seconds=int((days * 86_400).to_integral_value()))
    return f"{at:%Y.%m.%d %H:%M:%S}"


def begins_ticket(cells: Sequence[str]) -> bool:
    """Tell the beginning of a ticket's row: number, time and type, perhaps behind a running number."""
    return any(
        _NUMBER.fullmatch(first) is not None and is_time(second) and is_type(third)
        for first, second, third in zip(cells[:2], cells[1:3], cells[2:4], strict=False)
    )


def is_headings(row: GridRow) -> bool:
    """Tell a row of headings: many cells, and no digit in the first of them."""
    cells = [cell for cell in row.cells if cell]
    if len(cells) < MIN_HEADINGS or any(is_side(cell) or is_pending(cell) for cell in cells):
        return False
    return not any(character.isdecimal() for cell in cells[:MIN_HEADINGS] for character in cell)


def is_record(row: GridRow, kind: TableKind) -> bool:
    """Tell what must become a deal, a dead letter or a skipped row from sums, labels and empty lines."""
    filled = [cell for cell in row.cells if cell]
    if not filled or filled == [NOTHING]:
        return False
    if begins_ticket(row.cells):
        return True
    if kind == "after" or _LABEL.match(filled[0]) is not None:
        return False  # with a label begin sums, summaries, and in a second statement the client's name
    if len(row.cells) == 1:
        return not row.is_ragged  # a banner or a notice is wide; one narrow cell is left of a broken row
    if not any(row.cells[:5]):
        return False  # sums, and the line that repeats magic number and comment
    has_number = _NUMBER.fullmatch(row.cells[0]) is not None
    is_filled = len(filled) >= MIN_RECORD_CELLS
    return has_number or is_filled or any(is_time(cell) or is_type(cell) for cell in filled)


def is_time(cell: str) -> bool:
    """Tell a time as MetaTrader writes it."""
    return _TIME.fullmatch(cell) is not None


def is_side(cell: str) -> bool:
    """Tell the type of a trade."""
    return cell.lower() in _SIDES


def is_pending(cell: str) -> bool:
    """Tell the type of a pending order."""
    return _PENDING.fullmatch(cell.lower()) is not None


def is_type(cell: str) -> bool:
    """Tell any type a ticket can have."""
    lowered = cell.lower()
    return lowered in _SIDES or lowered in _CASH or is_pending(lowered)


def _banner(row: GridRow) -> TableKind | None:
    text = _only_cell(row)
    if text in BANNERS:
        return BANNERS[text]
    is_wide = row.is_ragged or len(row.cells) > 1
    return "unknown" if text and text != NOTHING and is_wide else None


def _only_cell(row: GridRow) -> str:
    return row.cells[0] if row.filled == (0,) else ""
