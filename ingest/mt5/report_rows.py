"""The rows of an MT5 report's tables, cell by cell: deals without their position, and positions."""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from commission.events import DealKind, Entry, Side
from ingest.formats.cells import (
    ZERO,
    shown,
    to_amount,
    to_comment,
    to_entry,
    to_kind,
    to_number,
    to_position_id,
    to_symbol,
    to_volume_e8,
)
from ingest.formats.grid import GridRow
from ingest.mt5.record import Money
from ingest.mt5.report_tables import Table
from ingest.server_time import parse_server_time
from ingest.sources import RowRejected

POSITION_HEADINGS = 13

_ELSEWHERE = "read the deal from MT5 Manager's Deals export"
_THOUSANDS = re.compile(r"(?<=[0-9]) (?=[0-9]{3})")
_NO_LETTER = "\ufffd"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDeal:
    """A row of the Deals table, read but for its position."""

    row: GridRow
    deal: int
    server_time: datetime
    occurred_at: datetime
    kind: DealKind
    side: Side | None
    entry: Entry | None
    symbol: str
    volume_e8: int
    price: Decimal | None
    order: str
    money: Money
    balance: Decimal
    comment: str

    @property
    def signed_e8(self) -> int:
        """The volume, negative for a sell."""
        return self.volume_e8 if self.side == "buy" else -self.volume_e8


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPosition:
    """A row of the Positions table; `closed_at` None stands for one of the open positions."""

    position_id: str
    symbol: str
    side: Side
    volume_e8: int
    opened_at: datetime
    open_price: Decimal
    closed_at: datetime | None = None
    close_price: Decimal | None = None
    swap: Decimal | None = None
    profit: Decimal | None = None


def to_deal(row: GridRow, columns: dict[str, int], width: int) -> ReportDeal:
    """Read a row of the Deals table, whose headings are `width` columns wide; raise `RowRejected`."""
    cells = _cells(row, width)
    cell = {name: cells[index] for name, index in columns.items()}
    if any(_NO_LETTER in text for name, text in cell.items() if name != "comment"):
        raise RowRejected("bad_encoding", "bytes of the row are not text; save the report again")
    kind, side = to_kind(cell["type"])
    is_trade = side is not None
    server_time = _to_time(cell["time"])
    return ReportDeal(
        row=row,
        deal=to_number(cell["deal"], "Deal"),
        server_time=server_time,
        occurred_at=server_time,
        kind=kind,
        side=side,
        entry=to_entry(cell["direction"]) if is_trade else None,
        symbol=to_symbol(cell["symbol"]) if is_trade else "",
        volume_e8=_volume_e8(cell["volume"]) if is_trade else 0,
        price=to_amount(cell["price"], "Price") if is_trade else None,
        order=to_position_id(cell["order"]) if is_trade else "",
        money=_money(cell, is_trade=is_trade),
        balance=to_amount(cell["balance"], "Balance"),
        comment=to_comment(cell.get("comment", "")),
    )


def _money(cell: dict[str, str], *, is_trade: bool) -> Money:
    """Read a deal's amounts; of a cash operation only the profit must be there."""
    none = "" if is_trade else "0"
    return Money(
        to_amount(cell["profit"], "Profit"),
        to_amount(cell["commission"] or none, "Commission"),
        to_amount(cell["fee"] or none, "Fee") if "fee" in cell else ZERO,
        to_amount(cell["swap"] or none, "Swap"),
    )


def to_listed(row: GridRow, table: Table) -> ListedPosition:
    """Read a row of the positions, whose first eight columns are always the same; raise `RowRejected`."""
    headings = table.headings
    cells, columns = _cells(row, len(headings.cells)), headings.filled
    kind, side = to_kind(cells[columns[3]])
    if side is None or kind != "trade":
        raise RowRejected(
            "unknown_type", f"Type `{shown(cells[columns[3]])}` of a position; it is buy or sell"
        )
    opened = ListedPosition(
        position_id=str(to_number(cells[columns[1]], "Position")),
        symbol=to_symbol(cells[columns[2]]),
        side=side,
        volume_e8=_volume_e8(cells[columns[4]]),
        opened_at=_to_time(cells[columns[0]]),
        open_price=to_amount(cells[columns[5]], "Price"),
    )
    if table.kind == "open_positions":
        return opened
    if len(columns) != POSITION_HEADINGS:
        raise RowRejected("unknown_table", f"a Positions table has {POSITION_HEADINGS} columns")
    return replace(
        opened,
        closed_at=_to_time(cells[columns[8]]),
        close_price=to_amount(cells[columns[9]], "Price"),
        swap=to_amount(cells[columns[11]], "Swap"),
        profit=to_amount(cells[columns[12]], "Profit"),
    )


def _cells(row: GridRow, width: int) -> tuple[str, ...]:
    """The cells of a row that is as wide as its headings."""
    if row.is_cut:
        raise RowRejected("truncated_row", "the file ends in this row without a line end; save it again")
    if len(row.cells) > width or (len(row.cells) < width and not row.is_ragged):
        raise RowRejected("wrong_cells", f"the row has {len(row.cells)} columns, its headings {width}")
    return row.cells + ("",) * (width - len(row.cells))


def _volume_e8(text: str) -> int:
    volume_e8 = to_volume_e8(_THOUSANDS.sub("", text))
    if not volume_e8:
        raise RowRejected(
            "bad_volume", f"Volume `{shown(text)}`: the terminal shows too few decimals; {_ELSEWHERE}"
        )
    return volume_e8


def _to_time(text: str) -> datetime:
    try:
        return parse_server_time(text)
    except ValueError:
        # What stands there instead of a time may be half a name, so it is not repeated.
        raise RowRejected("bad_time", "the time is not one such as 2025.03.13 00:36:37") from None
