"""The deals of a terminal as a table: what the `MetaTrader5` package's `history_deals_get` returned, as CSV.

A row is read as the record of the same fields in JSON is, so a deal has the same revision from both.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from ingest.counts import Counts, counted
from ingest.formats.csv_rows import Header, Row, cells_of, check_row, read_header, rows
from ingest.formats.json_text import MAX_JSON_BYTES
from ingest.mt5.batch import Mt5Batch, SourceRecord
from ingest.mt5.dialects import TERMINAL
from ingest.mt5.json_file import check_profile, read_contract_sizes
from ingest.source_items import Item
from ingest.sources import (
    DeadLetterWriter,
    RowRejected,
    ServerProfile,
    UnreadableSource,
    check_platform,
    check_size,
)

KIND = "mt5-terminal-csv"
NEEDED = (
    "ticket", "type", "entry", "position_id", "reason", "volume", "price", "commission", "swap", "profit",
    "symbol",
)  # fmt: skip
"""And `time` or `time_msc`; builds before it had no fee."""
SIGNS = frozenset({"ticket", "entry", "position_id"})
MAX_ROWS = 500_000
"""Held in memory while they are put in order."""

_WHOLE = frozenset(
    {"ticket", "login", "type", "entry", "reason", "time", "time_msc", "position_id", "order", "magic"}
)
_TEXTS = frozenset({"symbol", "comment", "currency", "group"})
_NUMBER = re.compile(r"[+-]?[0-9]{1,30}(?:\.[0-9]{1,60})?(?:[eE][+-]?[0-9]{1,2})?")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?")
_NONE = frozenset({"", "NaN", "nan", "None", "NaT"})
_NUMERIC = re.compile(r"[0-9 .:+-]*")


def read(
    path: Path, profile: ServerProfile, received_at: datetime, counts: Counts | None = None
) -> Iterator[Item]:
    """Yield what cannot be read, then the deals in order of time and number.

    Raise `UnreadableSource` at once for a file that is no such table. Beside `…deals.csv`,
    `…symbols.json` tells the contract sizes.
    """
    check_size(path, MAX_JSON_BYTES)
    header = read_header(path)
    check_header(header, path)
    check_platform(profile, "mt5", path)
    check_profile([dict.fromkeys(header.columns)], profile, TERMINAL, path)
    tally = counts if counts is not None else Counts()
    items = _Reader(path, header, profile, received_at, tally).read()
    return items if counts is None else counted(items, counts)


def is_header(header: Header) -> bool:
    """Tell whether a header is that of a terminal's deals, perhaps with a column missing."""
    return header.columns.keys() >= SIGNS


def check_header(header: Header, path: Path) -> None:
    """Raise `UnreadableSource`, naming what is missing."""
    missing = [name for name in NEEDED if name not in header.columns]
    if not header.columns.keys() & {"time", "time_msc"}:
        missing.append("time or time_msc")
    if missing:
        raise UnreadableSource(
            f"{path.name}: the column {', '.join(missing)} is missing; write all fields that"
            " history_deals_get() returns"
        )


class _Reader:
    """Reads one table: rows to records, then the records as those of a JSON file."""

    def __init__(
        self, path: Path, header: Header, profile: ServerProfile, received_at: datetime, counts: Counts
    ) -> None:
        self._path, self._header, self._profile, self._counts = path, header, profile, counts
        self._graveyard = DeadLetterWriter(f"{KIND} {path.name}", received_at, profile.server)
        self._columns = {name: header.columns[name] for name in TERMINAL.fields if name in header.columns}
        self._rejected: list[Item] = []

    def read(self) -> Iterator[Item]:
        """Yield all items; the rows that are no records come first."""
        sizes = read_contract_sizes(self._path.with_suffix(".json"))
        batch = Mt5Batch(TERMINAL, self._graveyard, sizes, self._counts)
        found = list(self._records())
        yield from self._rejected
        yield from batch.items(found)

    def _records(self) -> Iterator[SourceRecord]:
        for number, row in enumerate(rows(self._path, self._header.offset)):
            if not row.raw:
                self._counts.skipped["blank_line"] += 1
                continue
            if number == MAX_ROWS:
                raise UnreadableSource(
                    f"{self._path.name} has more than {MAX_ROWS:,} rows; ask for less time"
                )
            try:
                record = self._record(row)
            except RowRejected as bad:
                self._counts.rows += 1
                self._rejected.append(
                    self._graveyard.to_dead_letter(_kept(row), f"line {row.line}", bad, is_blanked=True)
                )
            else:
                yield SourceRecord(record, f"line {row.line}", self._profile)

    def _record(self, row: Row) -> dict[str, object]:
        cells = cells_of(row.raw, self._header.delimiter)
        check_row(row, len(cells), self._header)
        if not row.is_ended and _NUMBER.fullmatch(cells[-1]):
            raise RowRejected(
                "truncated_row", "the file ends in this row without a line end, so a number may be cut off"
            )
        return {name: _value(name, cells[at].strip()) for name, at in self._columns.items()}


def _value(name: str, cell: str) -> object:
    """A cell as JSON would have it; a table spells 1 as 1.0 where others of its column are none."""
    if name in _TEXTS:
        return "" if cell in _NONE else cell
    if cell in _NONE:
        return None
    if name in _WHOLE:
        if _TIME.fullmatch(cell):
            return _time(cell)
        return cell.removesuffix(".0")
    return Decimal(cell) if _NUMBER.fullmatch(cell) else cell


def _time(cell: str) -> object:
    try:
        return datetime.fromisoformat(cell)
    except ValueError:
        return cell


def _kept(row: Row) -> bytes:
    """What a dead letter keeps of a row that is no record: its numbers, for the rest may be a name."""
    cells = row.raw.decode(errors="replace").split(",")
    return ",".join(cell if _NUMERIC.fullmatch(cell) else "" for cell in cells).encode()
