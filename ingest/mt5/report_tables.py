"""The tables of an MT5 Trade History Report, known by what stands in them: their headings are localised.

Types and directions (`buy`, `in/out`), times and numbers are written alike in every language.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from ingest.formats.cells import KINDS
from ingest.formats.grid import GridRow
from ingest.sources import MarginMode, UnreadableSource

TableKind = Literal["deals", "orders", "positions", "open_positions", "working_orders", "unknown"]

DEAL_COLUMNS = (
    "time", "deal", "symbol", "type", "direction", "volume", "price", "order", "commission", "fee", "swap",
    "profit", "balance", "comment",
)  # fmt: skip
COLUMNS_BEFORE_FEE = tuple(name for name in DEAL_COLUMNS if name != "fee")
"""What builds before the fee wrote; no other column ever came or went."""
MAY_LACK = frozenset({"fee", "comment"})
MIN_HEADINGS = 9
TOP_ROWS = 30

ACCOUNT = re.compile(r"([0-9]{1,20}) ?\(([A-Za-z][A-Za-z0-9]{1,11})(?:, ([^()]*(?:\([^()]*\)[^()]*)*))?\)")
_TIME = re.compile(r"[0-9]{4}\.[0-9]{2}\.[0-9]{2} [0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?")
_OF_ORDERS = re.compile(r"[0-9. ]+ ?/ ?[0-9. ]+")
_DIRECTIONS = frozenset({"in", "out", "in/out", "out by"})
_TRADE_TYPES = frozenset(name for name, (_, side) in KINDS.items() if side is not None)
_CASH_TYPES = frozenset(name for name, (_, side) in KINDS.items() if side is None)
_MARGIN_MODES: dict[str, MarginMode] = {
    "hedge": "hedging",
    "hedging": "hedging",
    "netting": "netting",
    "exchange": "netting",
}


class ReportAccount(NamedTuple):
    """What the account's line says: `80000001 (USD, Broker-Live, real, Hedge)`."""

    login: int
    currency: str
    margin_mode: MarginMode | None


@dataclass(slots=True)
class Table:
    """One section: its headings and the rows under them."""

    headings: GridRow
    rows: list[GridRow] = field(default_factory=list)
    kind: TableKind = "unknown"


def split_tables(rows: Iterable[GridRow]) -> tuple[list[GridRow], list[Table]]:
    """Part the rows of a report into what stands above its first table, and its tables.

    A table starts at its headings and ends at its sums; a row with a time goes on with it even
    behind something that looked like sums, so that damage to one row does not lose the others.
    """
    top: list[GridRow] = []
    tables: list[Table] = []
    is_open = False
    for row in rows:
        filled = row.filled
        if _is_headings(row, filled):
            tables.append(Table(row))
            is_open = True
        elif not tables:
            top.append(row)
        elif len(filled) <= 1:
            is_open = is_open and not filled
        elif filled[0] > 1 or (filled[1] > 2 and not row.cells[0][:1].isdecimal()):
            is_open = False  # sums, or a label and its number: `Balance:`
        elif is_open or _TIME.fullmatch(row.cells[0]):
            tables[-1].rows.append(row)
    for table in tables:
        table.kind = _kind_of(table)
    return top[:TOP_ROWS], tables


def find_account(top: Iterable[GridRow]) -> ReportAccount | None:
    """Read the account's line by its shape; None if there is none.

    The client's name stands before it and may look like anything, so the last such line counts.
    """
    found = None
    for row in top:
        cells = [cell for cell in row.cells if cell]
        if len(cells) <= 2 and cells and (parts := ACCOUNT.fullmatch(cells[-1])):
            mode = (parts[3] or "").rpartition(",")[2].strip().lower()
            found = ReportAccount(int(parts[1]), parts[2], _MARGIN_MODES.get(mode))
    return found


def deal_columns(headings: GridRow, path: Path) -> dict[str, int]:
    """Find the columns of the Deals table: by their English names, else by their number."""
    filled = headings.filled
    named = {headings.cells[index].lower(): index for index in filled}
    if set(DEAL_COLUMNS) - MAY_LACK <= set(named):
        return {name: named[name] for name in DEAL_COLUMNS if name in named}
    for known in (DEAL_COLUMNS, COLUMNS_BEFORE_FEE):
        if len(known) == len(filled):
            return dict(zip(known, filled, strict=True))
    raise UnreadableSource(
        f"{path.name}, {headings.place}: the Deals table has {len(filled)} columns; known are"
        f" {', '.join(DEAL_COLUMNS)}, without fee in old builds. Save the report with the terminal in English"
    )


def is_deal_headings(cells: Iterable[str]) -> bool:
    """Tell the English headings of a Deals table."""
    return set(DEAL_COLUMNS) - MAY_LACK <= {cell.strip().lower() for cell in cells}


def _is_headings(row: GridRow, filled: tuple[int, ...]) -> bool:
    if len(filled) < MIN_HEADINGS or filled[:2] != (0, 1):
        return False
    return not any(character.isdecimal() for index in filled[:8] for character in row.cells[index])


def _kind_of(table: Table) -> TableKind:
    if is_deal_headings(table.headings.cells):
        return "deals"
    votes = Counter(_kind_of_row(row) for row in table.rows)
    del votes["unknown"]
    return votes.most_common(1)[0][0] if votes else "unknown"


def _kind_of_row(row: GridRow) -> TableKind:
    """What a row's shape says: deals have a direction, orders two volumes, what is over two times."""
    cells = (*row.cells, "", "", "", "", "")
    kind, fifth, others = cells[3].lower(), cells[4].lower(), cells[5:]
    is_past = any(_TIME.fullmatch(cell) for cell in others)
    if not _TIME.fullmatch(cells[0]):
        return "unknown"
    if (kind in _TRADE_TYPES and fifth in _DIRECTIONS) or (kind in _CASH_TYPES and not fifth):
        return "deals"
    if _OF_ORDERS.fullmatch(fifth):
        return "orders" if is_past else "working_orders"
    if kind in ("buy", "sell") and fifth[:1].isdecimal():
        return "positions" if is_past else "open_positions"
    return "unknown"
