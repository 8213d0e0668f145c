"""MT5 Manager's "Deals" export: every deal of a server as delimited text, a batch's best source."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from commission.events import Deal
from ingest.counts import Counts, counted
from ingest.formats.cells import (
    MAX_NUMBER_DIGITS,
    ZERO,
    AmountColumn,
    shown,
    to_amount,
    to_comment,
    to_currency,
    to_entry,
    to_kind,
    to_login,
    to_number,
    to_order,
    to_position_id,
    to_reason,
    to_symbol,
    to_volume_e8,
)
from ingest.formats.csv_rows import (
    MAX_ROW_BYTES,
    Header,
    Row,
    cells_of,
    check_row,
    map_file,
    read_header,
    rows,
    without_cell,
)
from ingest.mt5.record import Money, Mt5Record, to_deals
from ingest.server_time import RepeatedHour, TimeReader, from_us, parse_server_time, to_us
from ingest.source_items import Item
from ingest.sources import DeadLetterWriter, RowRejected, ServerProfile, UnreadableSource, check_platform
from schemas.dead_letters import DeadLetter

if TYPE_CHECKING:
    import polars as pl

KIND = "mt5-deals-csv"
MANDATORY = (
    "Deal",
    "Position",
    "Login",
    "Time",
    "Type",
    "Entry",
    "Symbol",
    "Volume",
    "Price",
    "Reason",
    "Commission",
    "Swap",
    "Profit",
)
SLICE_ROWS = 20_000
ORDER = ("at_us", "deal", "line")


def read(
    path: Path, profile: ServerProfile, received_at: datetime, counts: Counts | None = None
) -> Iterator[Item]:
    """Yield the deals of an export in order of time, then number; dead letters come in between.

    Raise `UnreadableSource` at once for a file that is not such an export.
    """
    header = read_header(path)
    check_header(header, profile, path)
    tally = counts if counts is not None else Counts()
    items = _read(path, header, profile, dead_letter_writer(path, header, profile, received_at), tally)
    return items if counts is None else counted(items, counts)


def dead_letter_writer(
    path: Path, header: Header, profile: ServerProfile, received_at: datetime
) -> DeadLetterWriter:
    """Where the file's bad rows go, with what it takes to read one of them again."""
    return DeadLetterWriter(f"{KIND} {path.name}", received_at, profile.server, header.line)


def is_header(header: Header) -> bool:
    """Tell whether a header is that of a Deals export, perhaps with a column missing."""
    found = [name for name in MANDATORY if name.lower() in header.columns]
    return "Deal" in found and len(found) > len(MANDATORY) // 2


def check_header(header: Header, profile: ServerProfile, path: Path) -> None:
    """Raise `UnreadableSource`, naming what is missing."""
    if not is_header(header):
        raise UnreadableSource(
            f"{path.name} is not an MT5 Manager Deals export: its first line is not that header"
        )
    wanted = MANDATORY if profile.currency else (*MANDATORY, "Currency")
    missing = [name for name in wanted if name.lower() not in header.columns]
    if missing:
        raise UnreadableSource(
            f"{path.name}: the column {', '.join(missing)} is missing; switch it on in MT5 Manager's Deals"
            " tab and export again"
        )
    check_platform(profile, "mt5", path)


@dataclass(slots=True)
class Index:
    """Where each row is and when its deal happened: 30 bytes a row instead of the row."""

    at_us: "array[int]" = field(default_factory=lambda: array("q"))
    deal: "array[int]" = field(default_factory=lambda: array("Q"))
    offset: "array[int]" = field(default_factory=lambda: array("q"))
    line: "array[int]" = field(default_factory=lambda: array("I"))
    length: "array[int]" = field(default_factory=lambda: array("H"))

    def add(self, at_us: int, deal: int, row: Row) -> None:
        """Put a row behind the others."""
        self.at_us.append(at_us)
        self.deal.append(deal)
        self.offset.append(row.offset)
        self.line.append(row.line)
        self.length.append(len(row.raw))

    def frame(self) -> "pl.DataFrame":
        """The index as columns, in the file's order."""
        import polars as pl  # noqa: PLC0415  # half a second, for readers of a Deals export only

        return pl.DataFrame(
            {
                "at_us": pl.Series(self.at_us, dtype=pl.Int64),
                "deal": pl.Series(self.deal, dtype=pl.UInt64),
                "offset": pl.Series(self.offset, dtype=pl.Int64),
                "line": pl.Series(self.line, dtype=pl.UInt32),
                "length": pl.Series(self.length, dtype=pl.UInt16),
            }
        )

    def in_order(self) -> Iterator[tuple[int, int, int, int, int]]:
        """Yield time, deal, offset, line and length by time, then deal, then line."""
        for part in self.frame().sort(ORDER).iter_slices(SLICE_ROWS):
            yield from zip(*(column.to_list() for column in part.iter_columns()), strict=True)


def _read(
    path: Path, header: Header, profile: ServerProfile, graveyard: DeadLetterWriter, counts: Counts
) -> Iterator[Item]:
    """Read twice: first the order of the deals, then the deals, so that memory stays small."""
    scan = Scan(header, profile, graveyard, counts)
    yield from scan.run(path)
    if not scan.index.line:
        return
    to_deals = DealReader(header, profile, path.name)
    with map_file(path) as mapped:
        for at_us, deal, offset, line, length in scan.index.in_order():
            raw = mapped[offset : offset + length]
            try:
                yield from to_deals.read(raw, at_us, deal, line)
            except RowRejected as bad:
                yield deal_to_dead_letter(graveyard, raw, header, line, bad)


def deal_to_dead_letter(
    graveyard: DeadLetterWriter, raw: bytes, header: Header, line: int, bad: RowRejected
) -> DeadLetter:
    """Make the dead letter of a whole row whose cells are of no use, without the client's name."""
    return graveyard.to_dead_letter(without_cell(raw, header, header.index("name")), f"line {line}", bad)


class Scan:
    """The first reading: which rows are whole, and when and in which order their deals happened."""

    def __init__(
        self, header: Header, profile: ServerProfile, graveyard: DeadLetterWriter, counts: Counts
    ) -> None:
        self.index = Index()
        self._header = header
        self._delimiter = header.delimiter.encode()
        self._deal_at, self._time_at = header.columns["deal"], header.columns["time"]
        self._separators = header.width - 1
        self._clock = profile.clock
        self._times = TimeReader(profile.clock)
        self._graveyard = graveyard
        self._counts = counts
        self._repeated: list[tuple[int, int, datetime]] = []
        # The last cell of a cut-off file may be half a number; half a comment does no harm.
        self._may_end_open = header.width - 1 == header.index("comment")

    def run(self, path: Path) -> Iterator[Item]:
        """Fill the index; yield the rows that cannot be used."""
        for row in rows(path, self._header.offset):
            yield from self.add(row)
        self.end()

    def add(self, row: Row) -> Iterator[DeadLetter]:
        """Put a row into the index; yield its dead letter if it cannot be used."""
        if not row.raw:
            self._counts.skipped["blank_line"] += 1
            return
        self._counts.rows += 1
        try:
            self._add(row)
        except RowRejected as bad:
            name = self._header.index("name")
            payload = without_cell(row.raw, self._header, name, reach=1)
            is_blanked = payload != without_cell(row.raw, self._header, name)
            yield self._graveyard.to_dead_letter(payload, f"line {row.line}", bad, is_blanked=is_blanked)

    def end(self) -> None:
        """Place the deals of repeated hours, in the order of their numbers: all rows are known now."""
        passes = RepeatedHour(self._clock)
        for deal, place, server_time in sorted(self._repeated):
            self.index.at_us[place] = to_us(passes.to_utc(server_time, deal))

    def _add(self, row: Row) -> None:
        deal_text, time_text = self._two_cells(row)
        deal = int(deal_text) if deal_text.isdigit() and len(deal_text) < MAX_NUMBER_DIGITS else 0
        if not deal:
            deal = to_number(deal_text.decode(errors="replace"), "Deal")
        try:
            at_us = self._times.utc_us(time_text)
            if at_us is None:
                server_time = parse_server_time(time_text.decode())
                self._repeated.append((deal, len(self.index.line), server_time))
        except ValueError as error:
            # What stands there instead of a time may be half a name, so it is not repeated.
            raise RowRejected("bad_time", "Time is not a time such as 2025.03.13 00:36:37.445") from error
        self.index.add(at_us or 0, deal, row)

    def _two_cells(self, row: Row) -> tuple[bytes, bytes]:
        raw = row.raw
        if b'"' in raw:
            cells = [cell.encode() for cell in cells_of(raw, self._header.delimiter)]
            check_row(row, len(cells), self._header)
        else:
            if raw.count(self._delimiter) != self._separators or len(raw) > MAX_ROW_BYTES:
                check_row(row, raw.count(self._delimiter) + 1, self._header)
            cells = raw.split(self._delimiter, max(self._deal_at, self._time_at) + 1)
        if not row.is_ended and not self._may_end_open:
            raise RowRejected(
                "truncated_row", "the file ends in this row without a line end, so a number may be cut off"
            )
        if cells[self._deal_at].strip().lower() == b"deal":
            raise RowRejected(
                "repeated_header", "a second header, as in joined exports; nothing is lost with it"
            )
        return cells[self._deal_at], cells[self._time_at].strip()


class DealReader:
    """Makes deals of one file's rows."""

    def __init__(self, header: Header, profile: ServerProfile, file_name: str) -> None:
        column = header.columns
        self._delimiter = header.delimiter
        self._profile = profile
        self._source = f"{KIND} {file_name}:"
        self._position, self._login = column["position"], column["login"]
        self._time, self._type, self._entry = column["time"], column["type"], column["entry"]
        self._symbol, self._volume, self._price = column["symbol"], column["volume"], column["price"]
        self._reason, self._commission = column["reason"], column["commission"]
        self._swap, self._profit = column["swap"], column["profit"]
        self._fee, self._currency = header.index("fee"), header.index("currency")
        self._comment, self._order = header.index("comment"), header.index("order")
        self._closed, self._contract_size = header.index("volumeclosed"), header.index("contractsize")
        self._bid, self._ask = header.index("marketbid", "bid"), header.index("marketask", "ask")
        self._is_extended = any(index is not None for index in (self._contract_size, self._bid, self._ask))

    def read(self, raw: bytes, at_us: int, deal: int, line: int) -> tuple[Deal, ...]:
        """Make the deal of one row; raise `RowRejected`."""
        cells = cells_of(raw, self._delimiter)
        return to_deals(self._record(cells, at_us, deal, line), self._profile)

    def _record(self, cells: list[str], at_us: int, deal: int, line: int) -> Mt5Record:
        kind, side = to_kind(cells[self._type])
        is_trade = side is not None
        entry = to_entry(cells[self._entry]) if is_trade else None
        money = self._money(cells) if is_trade else self._cash(cells)
        volume_e8 = to_volume_e8(cells[self._volume]) if is_trade else 0
        symbol, price, position_id = self._traded(cells) if is_trade else ("", None, "")
        contract_size, bid, ask = self._market(cells) if self._is_extended else (None, None, None)
        comment = "" if self._comment is None else cells[self._comment]
        currency = self._profile.currency if self._currency is None else cells[self._currency]
        return Mt5Record(
            deal=deal,
            login=to_login(cells[self._login]),
            kind=kind,
            side=side,
            entry=entry,
            occurred_at=from_us(at_us),
            server_time=cells[self._time].strip(),
            money=money,
            currency=to_currency(currency),
            symbol=symbol,
            volume_e8=volume_e8,
            volume_closed_e8=self._closed_e8(cells) if entry == "inout" else None,
            price=price,
            position_id=position_id,
            order=to_order(cells[self._order]) if entry == "out_by" and self._order is not None else "",
            contract_size=contract_size,
            bid=bid,
            ask=ask,
            reason=to_reason(cells[self._reason]),
            comment=comment and to_comment(comment),
            source=f"{self._source}{line}",
        )

    def _traded(self, cells: list[str]) -> tuple[str, Decimal, str]:
        return (
            to_symbol(cells[self._symbol]),
            to_amount(cells[self._price], "Price"),
            to_position_id(cells[self._position]),
        )

    def _money(self, cells: list[str]) -> Money:
        return Money(
            to_amount(cells[self._profit], "Profit"),
            to_amount(cells[self._commission], "Commission"),
            ZERO if self._fee is None else to_amount(cells[self._fee], "Fee"),
            to_amount(cells[self._swap], "Swap"),
        )

    def _cash(self, cells: list[str]) -> Money:
        """Read a cash operation's amounts; only its profit must be there."""
        return Money(
            to_amount(cells[self._profit], "Profit"),
            to_amount(cells[self._commission].strip() or "0", "Commission"),
            ZERO if self._fee is None else to_amount(cells[self._fee].strip() or "0", "Fee"),
            to_amount(cells[self._swap].strip() or "0", "Swap"),
        )

    def _market(self, cells: list[str]) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
        return (
            self._known(cells, self._contract_size, "ContractSize"),
            self._known(cells, self._bid, "MarketBid"),
            self._known(cells, self._ask, "MarketAsk"),
        )

    def _known(self, cells: list[str], column: int | None, name: AmountColumn) -> Decimal | None:
        """Read a cell of an extended export; zero and blank mean that the platform did not record it."""
        if column is None or not cells[column].strip():
            return None
        amount = to_amount(cells[column], name)
        if amount < 0:
            raise RowRejected("bad_amount", f"{name} `{shown(cells[column])}` is negative")
        return amount or None

    def _closed_e8(self, cells: list[str]) -> int | None:
        """Read the closing part of an in/out; None where the export does not tell it."""
        if self._closed is None or not cells[self._closed].strip().strip("0."):
            return None
        return to_volume_e8(cells[self._closed])
